// Lines, functions and files that fit a screen and a head.
import Testing

@Suite("layout")
struct LayoutTests {
    private static let all = SourceTree.sources + SourceTree.tests + SourceTree.fuzzing + [SourceTree.manifest]

    @Test("a line has at most 120 characters")
    func lineLength() {
        let long = Self.all.flatMap { file in
            file.lines.enumerated().filter { $0.element.count > 120 }.map { "\(file.path):\($0.offset + 1)" }
        }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("a function has at most 70 lines")
    func functionLength() {
        let long = Self.all.flatMap { file in
            FunctionLengths(file).functions.filter { $0.lineCount > 70 }.map {
                "\(file.path):\($0.line): \($0.lineCount) lines"
            }
        }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("a file has at most 600 lines")
    func fileLength() {
        let long = Self.all.filter { $0.lines.count > 600 }.map { "\($0.path): \($0.lines.count) lines" }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("a source file begins with a comment that says what it is for")
    func purpose() {
        let silent = (SourceTree.sources + SourceTree.fuzzing).filter { !$0.text.hasPrefix("//") }.map(\.path)
        #expect(silent.isEmpty, "\(silent.joined(separator: "\n"))")
    }

    @Test("the measure of functions sees bodies, multi-line heads and requirements without a body")
    func measure() {
        let text = """
            protocol Shape {
                func area() -> Int
            }
            struct Square {
                init(
                    side: Int
                ) {
                    area()
                }
                var both: Int { 1 }
                func area() {
                }
            }
            """
        let found = FunctionLengths(SourceFile(path: "", text: text)).functions
        #expect(found.map(\.line) == [5, 11])
        #expect(found.map(\.lineCount) == [5, 2])
    }
}

/// Measures functions by the indentation that the formatter guarantees: a body ends at the first line that is a closing
/// brace as deep as the declaration's first line.
struct FunctionLengths {
    struct Function {
        let line: Int
        let lineCount: Int
    }

    private(set) var functions: [Function] = []
    private let lines: [String]

    init(_ file: SourceFile) {
        lines = file.code
        for index in lines.indices where Self.isDeclaration(lines[index]) {
            guard let body = bodyStart(after: index) else { continue }
            let indent = lines[index].prefix { $0 == " " }
            guard let end = lines[body...].firstIndex(where: { $0 == indent + "}" }) else { continue }
            functions.append(Function(line: index + 1, lineCount: end - index + 1))
        }
    }

    private static func isDeclaration(_ line: String) -> Bool {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "(" || $0 == "<" || $0 == "?" })
        let head = words.drop { Self.modifiers.contains(String($0)) || $0.hasPrefix("@") }.first
        return head == "func" || head == "init" || head == "deinit"
    }

    private static let modifiers: Set<String> = [
        "public", "private", "fileprivate", "internal", "package", "static", "final", "override", "mutating",
        "nonisolated", "convenience", "required", "class", "nonmutating", "consuming", "borrowing",
    ]

    /// The line behind the opening brace; nil for a requirement and for a body on one line.
    private func bodyStart(after declaration: Int) -> Int? {
        let indent = lines[declaration].prefix { $0 == " " }.count
        for index in declaration..<min(declaration + 30, lines.count) {
            let line = lines[index]
            if index > declaration, line.prefix(while: { $0 == " " }).count < indent { return nil }
            if line.hasSuffix("{") { return index + 1 }
            if line.contains("{") { return nil }
            if index > declaration, Self.isDeclaration(line) || line.isEmpty { return nil }
        }
        return nil
    }
}
