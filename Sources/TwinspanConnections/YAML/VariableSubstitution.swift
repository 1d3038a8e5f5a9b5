// Variables in configuration texts: `${NAME}`, `${NAME:default}`, `${file:/path}`, and `$${` for a literal `${`.
//
// The Ditto dialect also knows `${request:subjectId}` as an old spelling of `{{ request:subjectId }}`. So what begins
// with the prefix of a placeholder is left alone, and an environment variable cannot be named like one with a default.

/// Puts the values of variables into texts.
struct VariableSubstitution {
    /// What goes wrong with one variable.
    struct Problem {
        /// Where `${…}` stands, in UTF-8 offsets of the written text.
        let range: Range<Int>
        let message: String
        let hint: String
    }

    /// The result for one text.
    struct Outcome {
        var text: String
        var substitutions: [YAMLScalar.Substitution] = []
        var problems: [Problem] = []
    }

    private enum Replacement {
        case value(String)
        case leaveAlone
        case problem(message: String, hint: String)
    }

    static let placeholderPrefixes: Set<String> = [
        "header", "entity", "thing", "policy", "thing-json", "feature", "topic", "resource", "time", "request",
        "connection", "source", "policy-entry", "jwt", "fn", "misc",
    ]

    private let environment: ConfigurationEnvironment
    private let directory: String

    /// - Parameter directory: what relative paths in `${file:…}` are relative to.
    init(environment: ConfigurationEnvironment, directory: String) {
        self.environment = environment
        self.directory = directory
    }

    /// Replaces every variable of a text. Replacements are not searched again.
    func apply(to written: String) -> Outcome {
        var source = written
        guard source.utf8.contains(UInt8(ascii: "$")) else { return Outcome(text: written) }
        source.makeContiguousUTF8()
        let bytes = Array(source.utf8)
        var output: [UInt8] = []
        var outcome = Outcome(text: written)
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: Self.escapedOpening) {
                outcome.substitutions.append(
                    .init(result: output.count..<(output.count + 2), written: index..<(index + 3)))
                output += Self.opening
                index += 3
            } else if bytes[index...].starts(with: Self.opening) {
                index = replaceVariable(at: index, of: bytes, into: &output, &outcome)
            } else {
                output.append(bytes[index])
                index += 1
            }
        }
        outcome.text = String(decoding: output, as: UTF8.self)
        return outcome
    }

    private static let opening = Array("${".utf8)
    private static let escapedOpening = Array("$${".utf8)

    /// - Returns: the offset behind the variable.
    private func replaceVariable(
        at start: Int, of bytes: [UInt8], into output: inout [UInt8], _ outcome: inout Outcome
    ) -> Int {
        guard let close = bytes[start...].firstIndex(of: UInt8(ascii: "}")) else {
            outcome.problems.append(
                Problem(
                    range: start..<bytes.count, message: "'${' without '}'", hint: "write '$${' for a literal '${'"))
            return bytes.count
        }
        let range = start..<(close + 1)
        switch replacement(for: String(decoding: bytes[(start + 2)..<close], as: UTF8.self)) {
        case .leaveAlone:
            output += bytes[range]
        case .value(let value):
            let begin = output.count
            output += value.utf8
            outcome.substitutions.append(.init(result: begin..<output.count, written: range))
        case .problem(let message, let hint):
            outcome.problems.append(Problem(range: range, message: message, hint: hint))
        }
        return close + 1
    }

    private func replacement(for expression: String) -> Replacement {
        let parts = expression.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let rest = parts.count == 2 ? String(parts[1]) : nil
        if let rest, name == "file" { return fileText(rest) }
        if rest != nil, Self.placeholderPrefixes.contains(name) { return .leaveAlone }
        guard Self.isVariableName(name) else { return .leaveAlone }
        if let value = environment.variable(name) { return .value(value) }
        if let rest { return .value(rest) }
        return .problem(
            message: "the environment variable '\(name)' is not set",
            hint: "set it, give a default with ${\(name):…}, or write $${\(name)} for literal text")
    }

    private func fileText(_ path: String) -> Replacement {
        let place = FilePath.resolve(path, in: directory)
        do {
            var bytes = try environment.files.contents(of: place)
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return .problem(message: "the file '\(place)' is not UTF-8 text", hint: "save it as UTF-8")
            }
            return .value(text)
        } catch {
            return .problem(
                message: "the file '\(place)' cannot be read: \(error.reason)",
                hint: "check the path and its permissions")
        }
    }

    private static func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first < 0x30 || first > 0x39 else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
