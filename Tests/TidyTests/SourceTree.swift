// Finds and reads the files of this repository for the tests that judge their form.
import Foundation

/// A text file of the repository.
struct SourceFile: Sendable {
    /// Relative to the root, with slashes.
    let path: String
    let text: String

    /// The lines; a last line break makes no further line.
    var lines: [Substring] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.last == "" ? Array(lines.dropLast()) : lines
    }

    /// The target a Swift file belongs to: the folder below `Sources` or `Tests`.
    var target: String { path.split(separator: "/").dropFirst().first.map { String($0) } ?? "" }
}

enum SourceTree {
    /// The package's root.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let sources = files(in: "Sources", endings: [".swift"])
    static let tests = files(in: "Tests", endings: [".swift"])
    static let fuzzing = files(in: "Fuzzing", endings: [".swift"])
    static let manifest = read("Package.swift")

    /// What people read and run beside the code.
    static let companions =
        ["docs", "scripts", "docker", "connections", "policies", "mappers", "Benchmarks"].flatMap { folder in
            files(in: folder, endings: [".md", ".sh", ".yaml", ".json", ".py", ".c", ".h", ".swift", "file"])
        } + ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile"].map { read($0) }

    /// All files of a folder and its folders, in the order of their paths, without what was built.
    static func files(in folder: String, endings: [String]) -> [SourceFile] {
        let start = root.appendingPathComponent(folder).path
        let names = (FileManager.default.enumerator(atPath: start)?.allObjects ?? []).compactMap { $0 as? String }
        return names.sorted().filter { name in
            !name.hasPrefix(".build") && !name.contains("/.") && endings.contains { name.hasSuffix($0) }
        }.map { read("\(folder)/\($0)") }
    }

    /// A file; empty when it is missing, which the tests that need it report.
    static func read(_ path: String) -> SourceFile {
        let bytes = FileManager.default.contents(atPath: root.appendingPathComponent(path).path) ?? Data()
        return SourceFile(path: path, text: String(decoding: bytes, as: UTF8.self))
    }
}

extension SourceFile {
    /// The lines without comments and without the content of string literals.
    var code: [String] {
        var isInside = false
        return lines.map { line in
            // Raw and multi-line literals are rare; their lines are left out as a whole.
            let marks = line.components(separatedBy: "\"\"\"").count - 1
            let wasInside = isInside
            if marks % 2 == 1 { isInside.toggle() }
            return wasInside || marks > 0 ? "" : Self.stripped(line)
        }
    }

    private static func stripped(_ line: Substring) -> String {
        var result = ""
        var isLiteral = false
        var previous: Character = " "
        for character in line {
            if isLiteral {
                if character == "\"", previous != "\\" { isLiteral = false }
                previous = previous == "\\" && character == "\\" ? " " : character
                continue
            }
            if character == "/", previous == "/" { return String(result.dropLast()) }
            if character == "\"" {
                isLiteral = true
                previous = " "
                continue
            }
            result.append(character)
            previous = character
        }
        return result
    }
}
