// The examples in the documentation are files and texts that work: each is checked by the program itself.
import Foundation
import Testing

@Suite("examples")
struct ExampleTests {
    private static let program = Program.built

    @Test("the README quotes the example connection as it is")
    func quoted() {
        let example = SourceTree.read("connections/telemetry-in.yaml").text
        #expect(!example.isEmpty)
        #expect(example.split(separator: "\n").count <= 12)
        #expect(SourceTree.read("README.md").text.contains("```yaml\n\(example)```"))
    }

    @Test(
        "the example connections, policies and things have no problem",
        .enabled(if: program != nil, "twinspan is not built"))
    func linted() throws {
        let answer = try #require(Self.program).run(["lint", "connections", "policies", "things"])
        #expect(answer.status == 0, "\(answer.output)")
        #expect(!answer.output.contains("warning"), "\(answer.output)")
    }

    @Test("the test cases of the example connections pass", .enabled(if: program != nil, "twinspan is not built"))
    func tested() throws {
        let answer = try #require(Self.program).run(["test", "connections"])
        let names = try FileManager.default.contentsOfDirectory(
            atPath: SourceTree.root.appendingPathComponent("connections").path)
        let count = names.count { $0.hasSuffix(".test.yaml") }
        #expect(count >= 2, "\(names)")
        #expect(answer.status == 0 && answer.output.contains(" in \(count) files passed"), "\(answer.output)")
    }

    @Test("the test cases of the documentation pass", .enabled(if: program != nil, "twinspan is not built"))
    func documentedCases() throws {
        let program = try #require(Self.program)
        let page = SourceTree.read("docs/testing-mappings.md").text
        let block = try #require(page.components(separatedBy: "```yaml\n").dropFirst().first)
        let cases = block.components(separatedBy: "```")[0].components(separatedBy: "\n\n")
        try #require(cases.count == 2)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("twinspan-cases-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in zip(["telemetry-in", "events-out"], cases) {
            let connection = SourceTree.read("connections/\(name).yaml").text
            try connection.write(
                to: folder.appendingPathComponent("\(name).yaml"), atomically: true, encoding: .utf8)
            try text.write(to: folder.appendingPathComponent("\(name).test.yaml"), atomically: true, encoding: .utf8)
        }
        let answer = program.run(["test", folder.path])
        #expect(answer.status == 0 && answer.output.contains("2 cases in 2 files passed"), "\(answer.output)")
    }

    @Test("the first connection of the documentation does what the page says", .enabled(if: program != nil))
    func firstConnection() throws {
        let program = try #require(Self.program)
        let page = SourceTree.read("docs/connections.md").text
        let blocks = page.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
        try #require(blocks.count > 1)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("twinspan-first-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("plant.yaml")
        try blocks[0].write(to: file, atomically: true, encoding: .utf8)
        try blocks[1].write(
            to: folder.appendingPathComponent("plant.test.yaml"), atomically: true, encoding: .utf8)
        let tested = program.run(["test", folder.path])
        #expect(tested.status == 0 && tested.output.contains("2 cases in 1 file passed"), "\(tested.output)")
        let mapped = program.run(
            ["map", file.path, "--address", "plant/pump-7/readings"], input: #"{"rpm": 1490}"#)
        let promised = "would be committed as: merge org.plant:pump-7 (nothing was sent anywhere)"
        #expect(page.contains(promised) && mapped.output.contains(promised), "\(mapped.output)")
    }

    @Test("each connection in the documentation has no error", .enabled(if: program != nil, "twinspan is not built"))
    func documented() throws {
        let program = try #require(Self.program)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("twinspan-tidy-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for page in SourceTree.companions where page.path.hasSuffix(".md") {
            for (index, block) in Self.connections(in: page.text).enumerated() {
                let file = folder.appendingPathComponent("example-\(index).yaml")
                try block.write(to: file, atomically: true, encoding: .utf8)
                let answer = program.run(["lint", file.path])
                #expect(answer.status == 0, "\(page.path), connection \(index + 1):\n\(answer.output)")
            }
        }
    }

    @Test("the message of the README is mapped", .enabled(if: program != nil, "twinspan is not built"))
    func mapped() throws {
        let readme = SourceTree.read("README.md").text
        let start = try #require(readme.range(of: "-m '")).upperBound
        let end = try #require(readme.range(of: "'\n", range: start..<readme.endIndex)).lowerBound
        let answer = try #require(Self.program).run(
            ["map", "connections/telemetry-in.yaml", "--address", "telemetry/demo:lamp"],
            input: String(readme[start..<end]))
        #expect(answer.status == 0, "\(answer.output)")
        #expect(answer.output.contains("would be committed as: modify demo:lamp"), "\(answer.output)")
    }

    @Test("every link between our pages leads somewhere")
    func links() {
        var broken: [String] = []
        for page in SourceTree.companions where page.path.hasSuffix(".md") {
            let folder = SourceTree.root.appendingPathComponent(page.path).deletingLastPathComponent()
            for link in Self.links(in: page.text) where !link.contains("://") && !link.hasPrefix("#") {
                let path = link.split(separator: "#").first.map { String($0) } ?? ""
                let target = folder.appendingPathComponent(path).standardizedFileURL
                if !FileManager.default.fileExists(atPath: target.path) { broken.append("\(page.path): \(link)") }
            }
        }
        #expect(broken.isEmpty, "\(broken.joined(separator: "\n"))")
    }

    private static func connections(in text: String) -> [String] {
        text.components(separatedBy: "```yaml\n").dropFirst().compactMap { part in
            let block = part.components(separatedBy: "```")[0]
            return block.contains("connectionType:") ? block : nil
        }
    }

    private static func links(in text: String) -> [String] {
        text.components(separatedBy: "](").dropFirst().compactMap { part in
            part.firstIndex(of: ")").map { String(part[..<$0]) }
        }
    }
}

/// The program under test.
struct Program: Sendable {
    let path: String

    /// `TWINSPAN_BINARY`, or what the last debug build left; nil when there is neither.
    static var built: Program? {
        let path =
            ProcessInfo.processInfo.environment["TWINSPAN_BINARY"]
            ?? SourceTree.root.appendingPathComponent(".build/debug/twinspan").path
        return FileManager.default.isExecutableFile(atPath: path) ? Program(path: path) : nil
    }

    /// Runs it in the package's root; output and errors together.
    func run(_ arguments: [String], input: String = "") -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = SourceTree.root
        let (feed, answer) = (Pipe(), Pipe())
        process.standardInput = feed
        process.standardOutput = answer
        process.standardError = answer
        do {
            try process.run()
        } catch {
            return (-1, "\(error)")
        }
        feed.fileHandleForWriting.write(Data(input.utf8))
        feed.fileHandleForWriting.closeFile()
        let output = answer.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
