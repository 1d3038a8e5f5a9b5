// The results of test cases for people, for programs and for build servers.
public import TwinspanConnections
public import TwinspanJSON
import TwinspanProtocol

/// The results of one run of test cases.
public struct CaseReport: Sendable {
    public let results: [CaseResult]

    public init(_ results: [CaseResult]) { self.results = results }

    public var failureCount: Int { results.count { !$0.isPassed } }

    /// A line for each case that failed with its findings below, and one line about all.
    public var text: String {
        var text = ""
        for result in results where !result.isPassed {
            text += "\(result.place): FAILED  \(result.mappingCase.name)\n"
            for finding in result.findings { text += "    \(finding.text)\n" }
        }
        let files = Set(results.map(\.mappingCase.file)).count
        let cases = "\(results.count) case\(results.count == 1 ? "" : "s") in \(files) file\(files == 1 ? "" : "s")"
        return text + (failureCount == 0 ? "\(cases) passed\n" : "\(failureCount) of \(cases) failed\n")
    }

    /// The same for programs.
    public var json: JSONValue {
        let cases = results.map { result -> JSONValue in
            let findings = result.findings.map { finding -> JSONValue in
                .object([
                    "place": .string(finding.place), "path": .string(finding.path),
                    "expected": .string(finding.expected), "found": .string(finding.found),
                ])
            }
            return .object([
                "name": .string(result.mappingCase.name), "file": .string(result.mappingCase.file),
                "line": .number(JSONNumber(Int64(result.mappingCase.line))),
                "connection": .string(result.mappingCase.connection.id.text), "passed": .bool(result.isPassed),
                "milliseconds": .number(JSONNumber(result.duration / .milliseconds(1))),
                "findings": .array(findings),
            ])
        }
        return .object([
            "success": .bool(failureCount == 0), "total": .number(JSONNumber(Int64(results.count))),
            "failed": .number(JSONNumber(Int64(failureCount))), "cases": .array(cases),
        ])
    }

    /// The same as JUnit XML, which build servers read. Problems of files are errors of a suite of their own.
    /// - Parameter problems: of files whose cases could not be run.
    public func junit(problems: [Diagnostic] = []) -> String {
        let total = results.count + problems.count
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        text += "<testsuites name=\"twinspan\" tests=\"\(total)\" failures=\"\(failureCount)\" "
        text += "errors=\"\(problems.count)\" time=\"\(Self.seconds(results))\">\n"
        var files: [String] = []
        for result in results where !files.contains(result.mappingCase.file) { files.append(result.mappingCase.file) }
        for file in files {
            let own = results.filter { $0.mappingCase.file == file }
            text += "  <testsuite name=\"\(file.xml)\" tests=\"\(own.count)\" "
            text += "failures=\"\(own.count { !$0.isPassed })\" errors=\"0\" skipped=\"0\" "
            text += "time=\"\(Self.seconds(own))\">\n"
            for result in own { text += Self.testcase(result) }
            text += "  </testsuite>\n"
        }
        if !problems.isEmpty {
            text += "  <testsuite name=\"files\" tests=\"\(problems.count)\" failures=\"0\" "
            text += "errors=\"\(problems.count)\" skipped=\"0\" time=\"0\">\n"
            for problem in problems {
                text +=
                    "    <testcase name=\"\(problem.file.xml):\(problem.line)\" classname=\"\(problem.file.xml)\">\n"
                text += "      <error message=\"\(problem.message.xml)\"/>\n    </testcase>\n"
            }
            text += "  </testsuite>\n"
        }
        return text + "</testsuites>\n"
    }

    private static func testcase(_ result: CaseResult) -> String {
        let name = result.mappingCase.name.xml
        let start = "    <testcase name=\"\(name)\" classname=\"\(result.mappingCase.file.xml)\" "
        let time = "time=\"\(seconds([result]))\""
        guard let first = result.findings.first else { return start + time + "/>\n" }
        let lines = ([result.place] + result.findings.map(\.text)).joined(separator: "\n")
        return start + time + ">\n      <failure message=\"\(first.text.xml)\">\(lines.xml)</failure>\n"
            + "    </testcase>\n"
    }

    /// Seconds with microseconds, as JUnit has them.
    private static func seconds(_ results: [CaseResult]) -> String {
        let all = results.reduce(Duration.zero) { $0 + $1.duration }
        let microseconds = max(0, Int64(all / .microseconds(1)))
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}

extension CaseResult {
    fileprivate var place: String { "\(mappingCase.file):\(mappingCase.line)" }
}

extension String {
    /// The text as XML 1.0 takes it in attributes and elements: what it has no place for becomes U+FFFD.
    fileprivate var xml: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&apos;"
            case "\n": text += "&#10;"
            case "\t": text += "&#9;"
            case "\r": text += "&#13;"
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
