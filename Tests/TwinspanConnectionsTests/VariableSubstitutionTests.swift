import Testing

@testable import TwinspanConnections

@Suite("Variables in configuration texts")
struct VariableSubstitutionTests {
    static let variables = ["HOST": "broker", "PORT": "1883", "EMPTY": "", "NESTED": "${HOST}"]
    static let files = ["/run/secret": "geheim\n", "conf/near": "nah\r\n", "/run/two": "a\n\n"]

    struct Row: CustomTestStringConvertible {
        let written: String
        let result: String
        init(_ written: String, _ result: String) {
            self.written = written
            self.result = result
        }
        var testDescription: String { written }
    }

    @Test(
        "are replaced once; placeholders and escapes are not",
        arguments: [
            Row("tcp://${HOST}:${PORT}", "tcp://broker:1883"), Row("${HOST:x}", "broker"), Row("${NONE:x}", "x"),
            Row("${NONE:}", ""), Row("${NONE:a:b}", "a:b"), Row("${EMPTY:x}", ""), Row("${NESTED}", "${HOST}"),
            Row("$${HOST}", "${HOST}"), Row("$HOST $ $$ {x}", "$HOST $ $$ {x}"),
            Row("${file:/run/secret}", "geheim"), Row("${file:near}", "nah"), Row("${file:./near}", "nah"),
            Row("${file:/run/two}", "a\n"), Row("${request:subjectId}", "${request:subjectId}"),
            Row("${thing:id}/${HOST}", "${thing:id}/broker"),
            Row("${header:x | fn:lower()}", "${header:x | fn:lower()}"),
            Row("${ thing:id }", "${ thing:id }"), Row("${a.b}", "${a.b}"), Row("${}", "${}"),
            Row("{{ thing:id }}", "{{ thing:id }}"), Row("ü${HOST}ü", "übrokerü"),
        ])
    func replaced(_ row: Row) {
        let read = readYAML("a: '\(row.written)'", variables: Self.variables, files: Self.files)
        #expect(read.diagnostics == [])
        #expect(read.documents.first?["a"]?.value.scalar?.text == row.result)
    }

    struct Bad: CustomTestStringConvertible {
        let yaml: String
        let at: String
        let says: String
        init(_ yaml: String, _ at: String, _ says: String) {
            self.yaml = yaml
            self.at = at
            self.says = says
        }
        var testDescription: String { yaml }
    }

    @Test(
        "that cannot be replaced are named where they stand",
        arguments: [
            Bad("a: tcp://${HOSTT}:1", "1:10", "environment variable 'HOSTT' is not set"),
            Bad("a: \"ä\\t${X}\"", "1:8", "environment variable 'X' is not set"),
            Bad("a: |\n  one\n   ${X}\n", "3:4", "environment variable 'X' is not set"),
            Bad("a:\n  - b\n  - '''${X}'", "3:8", "environment variable 'X' is not set"),
            Bad("a: x${HOST", "1:5", "'${' without '}'"),
            Bad("a: ${file:/nowhere}", "1:4", "the file '/nowhere' cannot be read: no such file or directory"),
            Bad("a: ${file:nowhere}", "1:4", "the file 'conf/nowhere' cannot be read"),
        ])
    func missing(_ row: Bad) throws {
        let read = readYAML(row.yaml, variables: Self.variables, files: Self.files)
        let diagnostic = try #require(read.diagnostics.first)
        #expect(diagnostic.message.contains(row.says))
        #expect(diagnostic.at == row.at)
        #expect(read.diagnostics.count == 1)
    }

    @Test("every missing variable of a text is reported, and the value is marked as broken")
    func several() {
        let read = readYAML("a: ${X}-${Y}")
        #expect(read.diagnostics.map(\.at) == ["1:4", "1:9"])
        #expect(read.documents.first?["a"]?.value.scalar?.isBroken == true)
    }

    @Test("an unquoted value is resolved after the replacement")
    func numbers() {
        let read = readYAML("a: ${PORT}\nb: '${PORT}'", variables: Self.variables)
        #expect(read.documents.first?["a"]?.value.scalar?.value == .integer(1883))
        #expect(read.documents.first?["b"]?.value.scalar?.value == .string)
    }

    @Test("keys and scripts are left alone")
    func verbatim() {
        let read = readYAML("${KEY}: 1\nincomingScript: |\n  `${name}`\n")
        #expect(read.diagnostics == [])
        #expect(read.documents.first?["incomingScript"]?.value.scalar?.text == "`${name}`\n")
    }
}
