// Words that must not stand in our files.
import Foundation
import Testing

@Suite("vocabulary")
struct VocabularyTests {
    private static let all = SourceTree.sources + SourceTree.tests

    @Test("no type and no file is named after nothing in particular")
    func names() {
        let banned: Set<String> = [
            "Manager", "Managers", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Misc",
            "Impl",
            "Base",
        ]
        let found = Self.all.flatMap { file in
            let declared = file.code.enumerated().compactMap { index, line in
                Self.declaredType(line).map { ("\(file.path):\(index + 1)", $0) }
            }
            let parts = file.path.dropLast(".swift".count).split { $0 == "/" || $0 == "+" }
            return (declared + parts.map { (file.path, String($0)) }).filter { _, name in
                !banned.isDisjoint(with: Self.words(of: name))
            }.map { place, name in "\(place): \(name)" }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    private static func declaredType(_ line: String) -> String? {
        let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        guard let index = words.firstIndex(where: { kinds.contains(String($0)) }), index + 1 < words.count else {
            return nil
        }
        return String(words[index + 1])
    }

    private static let kinds: Set<String> = ["class", "struct", "enum", "protocol", "actor", "typealias", "extension"]

    /// `OutboundQueue` as `Outbound`, `Queue`; digits stay with their word, so `Base64` is a word of its own.
    private static func words(of name: String) -> [String] {
        var words: [String] = []
        for character in name {
            if character.isUppercase || words.isEmpty { words.append("") }
            words[words.count - 1].append(character)
        }
        return words
    }

    @Test("nothing is left to be done in a comment")
    func noteToSelf() {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK"]
        let found = (Self.all + SourceTree.companions).flatMap { file in
            file.lines.enumerated().filter { line in marks.contains { line.element.contains($0) } }.map {
                "\(file.path):\($0.offset + 1)"
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("libraries never trap on what peers send, and never print")
    func traps() {
        let banned = ["try!", "as!", "fatalError("]
        let found = SourceTree.sources.flatMap { file in
            file.code.enumerated().filter { _, line in
                banned.contains { line.contains($0) } || Self.prints(line)
            }.map { "\(file.path):\($0.offset + 1): \($0.element)" }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    private static func prints(_ line: String) -> Bool {
        line.range(of: #"(^|[^\w.])(debugPrint|print|dump|NSLog)\("#, options: .regularExpression) != nil
    }

    @Test("no file names a place of the machine it was written on")
    func places() {
        let banned = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
        let found = (Self.all + SourceTree.companions + [SourceTree.manifest]).flatMap { file in
            file.lines.enumerated().filter { line in banned.contains { line.element.contains($0) } }.map {
                "\(file.path):\($0.offset + 1)"
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }
}
