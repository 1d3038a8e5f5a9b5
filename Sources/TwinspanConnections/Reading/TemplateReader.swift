// Templates, conditions and header mappings: the expression parsers say at which offset something is wrong, this finds
// the line and column of it.
import TwinspanExpressions

/// Reads the texts of a connection that hold expressions.
struct TemplateReader {
    let sink: DiagnosticSink

    /// Compiles a template; nil if it is not valid here, which is reported.
    func template(
        _ text: Located<String>, _ scope: PlaceholderScope, isMQTTHeader: Bool = false
    ) -> PlaceholderTemplate? {
        do {
            return try PlaceholderTemplate.parse(text.value, scope: scope)
        } catch {
            let wire = WireError.expression(error.code)
            report(
                error, in: text,
                as: isMQTTHeader ? wire.saying("\(error.message) \(WireError.unresolvedPlaceholders)") : wire)
            return nil
        }
    }

    /// Compiles the valid ones of a list.
    func templates(_ texts: [Located<String>], _ scope: PlaceholderScope) -> [PlaceholderTemplate] {
        texts.compactMap { template($0, scope) }
    }

    /// Compiles an expression without braces.
    func expression(_ text: Located<String>, _ scope: PlaceholderScope) -> PipelineExpression? {
        do {
            return try PipelineExpression.parse(text.value, scope: scope)
        } catch {
            report(error, in: text, as: .expression(error.code))
            return nil
        }
    }

    /// Reads a header mapping. What is not text is ignored in Ditto; here it is at least said.
    func headerMapping(_ part: Located<YAMLNode>?, _ scope: PlaceholderScope) -> [HeaderMapping] {
        var mappings: [HeaderMapping] = []
        for pair in part?.value.mapping ?? [] {
            let path = part?.path.key(pair.key) ?? .root
            guard let scalar = pair.value.scalar, scalar.value == .string || !scalar.substitutions.isEmpty else {
                sink.warning(
                    at: Spot(of: pair.value), path: path, "the header '\(pair.key)' is ignored: its value is not text",
                    hint: "put it in quotes")
                continue
            }
            if scalar.isBroken { continue }
            let text = Located(value: scalar.text, node: pair.value, path: path)
            guard let template = template(text, scope, isMQTTHeader: scope == .mqttSourceHeaderMapping) else {
                continue
            }
            mappings.append(HeaderMapping(name: pair.key.lowercased(), template: template, writtenName: pair.key))
        }
        return mappings
    }

    /// Reads named conditions. Values that are not text are taken as their text.
    func conditions(_ part: Located<YAMLNode>?) -> [(name: String, expression: PipelineExpression)] {
        (part?.value.mapping ?? []).compactMap { pair in
            guard let scalar = pair.value.scalar else {
                sink.error(
                    at: Spot(of: pair.value), path: part?.path.key(pair.key) ?? .root,
                    "expected an expression for '\(pair.key)', found \(pair.value.kindDescription)")
                return nil
            }
            if scalar.isBroken { return nil }
            let text = Located(value: scalar.text, node: pair.value, path: part?.path.key(pair.key) ?? .root)
            return expression(text, .mapperCondition).map { (pair.key, $0) }
        }
    }

    /// Reports that a position takes constants only, if the text holds an expression.
    func requireConstant(_ text: Located<String>, _ scope: PlaceholderScope) -> Bool {
        guard let template = template(text, scope) else { return false }
        return template.constant != nil
    }

    private func report(_ error: PlaceholderError, in text: Located<String>, as wire: WireError) {
        let advice = Advice(error.description)
        sink.error(
            at: sink.spot(in: text.node, ExpressionToken.range(at: error.offset, in: text.value)), path: text.path,
            Sentence.phrase(error.message), hint: advice.hint, suggestion: advice.suggestion,
            as: wire)
    }
}

/// The word of an expression that an offset points at.
enum ExpressionToken {
    private static let delimiters = Set(" \t\r\n{}|,()'\"".utf8)

    /// From the offset to the end of the word; one byte when it points at a delimiter.
    static func range(at offset: Int, in text: String) -> Range<Int> {
        let bytes = Array(text.utf8)
        guard offset < bytes.count else { return bytes.isEmpty ? 0..<0 : (bytes.count - 1)..<bytes.count }
        let length = bytes[offset...].prefix { !delimiters.contains($0) }.count
        return offset..<(offset + max(1, length))
    }
}

/// The advice of an expression parser, taken apart: what is allowed, and the word that was probably meant.
struct Advice {
    let hint: String?
    let suggestion: String?

    init(_ description: String) {
        let opening = "Did you mean '"
        var rest = description[...]
        var suggestion: String?
        if rest.hasSuffix("'?"), let start = rest.range(of: opening) {
            suggestion = String(rest[start...].dropFirst(opening.count).dropLast(2))
            rest = rest[..<start]
        }
        let hint = Sentence.clause(String(rest.trimmed))
        self.hint = hint.isEmpty ? nil : hint.hasSuffix(".") ? String(hint.dropLast()) : hint
        self.suggestion = suggestion
    }
}

/// Sentences of other parts as they read in a diagnostic, which writes its own full stop.
enum Sentence {
    /// Without an article in front and a full stop behind, beginning in lower case.
    static func phrase(_ sentence: String) -> String {
        let isClosed = sentence.hasSuffix(".") && !sentence.hasSuffix("..")
        let open = isClosed ? String(sentence.dropLast()) : sentence
        return open.hasPrefix("The ") ? String(open.dropFirst(4)) : clause(open)
    }

    /// Beginning in lower case, unless with a name such as QoS or MQTT.
    static func clause(_ sentence: String) -> String {
        let word = sentence.prefix { $0.isLetter }
        guard let first = word.first, first.isUppercase, word.dropFirst().allSatisfy(\.isLowercase) else {
            return sentence
        }
        return first.lowercased() + sentence.dropFirst()
    }
}
