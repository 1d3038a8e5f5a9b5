// Templates and pipelines: reading in several places of a configuration, and the form of what they resolve to.
import TwinspanExpressions
import TwinspanJSON

/// The input is a template, and as it is a pipeline.
func fuzzPlaceholder(_ input: [UInt8]) {
    guard let written = text(input) else { return }
    for scope in [PlaceholderScope.address, .mqttEnforcementInput, .tokenIntegrationSubject, .targetAuthorization] {
        checkTemplate(written, scope)
        checkTemplate("a{{ \(written) }}b", scope)
        checkExpression(written, scope)
    }
    if let expression = TimeExpression(parsing: written) {
        // Reading what was written gives the same moment.
        let again = TimeExpression(parsing: expression.text)
        require(again == expression, "\(written) is written as \(expression.text)")
        _ = expression.milliseconds(atEpochMilliseconds: .max)
        _ = expression.text(atEpochMilliseconds: .min)
    }
}

/// A sender's message with one, several and no values.
struct FixedPlaceholders: PlaceholderResolver {
    private static let table: [String: PlaceholderValues] = [
        "thing:id": .one("acme:d1"), "header:a": .many(["{\"a\":[1,{\"b\":2}]}", "x,y", ""]), "entity:name": .one("ä"),
        "thing-json:/a/b": .one("YWJj"), "topic:action": .one("modified"), "resource:path": .one("/attributes/a"),
        "source:address": .one("telemetry/acme/d1"), "header:n": .one("4711"), "header:d": .deleted,
    ]

    func values(of placeholder: Placeholder) -> PlaceholderValues {
        if case .time(let expression) = placeholder {
            return .one(expression.text(atEpochMilliseconds: 1_704_551_022_123))
        }
        return Self.table[placeholder.text] ?? .unresolved
    }
}

private func checkTemplate(_ written: String, _ scope: PlaceholderScope) {
    do throws(PlaceholderError) {
        let template = try PlaceholderTemplate.parse(written, scope: scope)
        require(template.text == written, "the text of \(written) is \(template.text)")
        let values = template.resolve(FixedPlaceholders())
        checkForm(values, of: written)
        checkForm(template.resolve(UnresolvedPlaceholders()), of: written)
        if let constant = template.constant {
            require(constant == written && values == .one(written), "the constant \(written) is \(values)")
            require(template.placeholders.isEmpty, "a constant with placeholders: \(written)")
        }
        for placeholder in template.placeholders { check(placeholder, scope) }
    } catch {
        checkError(error, of: written)
    }
}

private func checkExpression(_ written: String, _ scope: PlaceholderScope) {
    do throws(PlaceholderError) {
        let expression = try PipelineExpression.parse(written, scope: scope)
        for input in [PlaceholderValues.unresolved, .deleted, .one("true"), .many(["a", "{\"a\":1}"])] {
            checkForm(expression.resolve(FixedPlaceholders(), input: input), of: written)
        }
        // Inside a template it is the same, unless its own braces end it early.
        guard !contains(written + "}}", twice: UInt8(ascii: "}"), before: written.utf8.count) else { return }
        let template = try PlaceholderTemplate.parse("{{\(written)}}", scope: scope)
        require(
            template.resolve(FixedPlaceholders()) == expression.resolve(FixedPlaceholders()),
            "\(written) resolves differently in a template")
    } catch {
        checkError(error, of: written)
    }
}

private func checkForm(_ values: PlaceholderValues, of written: String) {
    guard case .many(let list) = values else { return }
    require(list.count >= 2, "\(written) resolves to \(list)")
}

/// A placeholder written canonically is read as itself.
private func check(_ placeholder: Placeholder, _ scope: PlaceholderScope) {
    let isPlain = placeholder.text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "_:/.-+".utf8.contains(byte)
    }
    guard isPlain else { return }
    // The next line reports nil as a finding.
    let again = try? PlaceholderTemplate.parse("{{\(placeholder.text)}}", scope: scope)
    require(again?.placeholders == [placeholder], "\(placeholder.text) is read as \(again?.placeholders ?? [])")
}

private func checkError(_ error: PlaceholderError, of written: String) {
    require((0...written.utf8.count).contains(error.offset), "offset \(error.offset) is outside of \(written)")
    require(error.code.hasPrefix("placeholder:"), "\(error)")
}
