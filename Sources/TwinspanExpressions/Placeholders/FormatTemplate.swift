// `fn:format`: renders JSON objects through a template of `{field}`, `{/json/pointer}`, `{#field}…{/field}` and `{.}`
// (spec/mapping.md §3.2).

import TwinspanJSON

/// A compiled format template.
struct FormatTemplate: Sendable, Hashable {
    indirect enum Node: Sendable, Hashable {
        case literal(String)
        case field(JSONPointer)
        /// `{.}`: the element itself.
        case element
        case section(JSONPointer, [Node])
    }

    /// Why a template was refused.
    struct Failure: Error, Sendable, Equatable {
        let reason: String
    }

    let nodes: [Node]

    init(_ text: String) throws(Failure) {
        var parser = FormatTemplateParser(text)
        nodes = try parser.parse()
    }

    /// Renders each input that is a JSON object and skips the others; nothing rendered is one empty string.
    func apply(to input: PlaceholderValues) -> PlaceholderValues {
        guard input.isResolved else { return input }
        var results: [String] = []
        for text in input.values {
            // Input that is not JSON is skipped like input that is not an object.
            guard let value = try? JSONValue.parse(text), value.object != nil else { continue }
            guard let rendered = Self.render(nodes, value) else { return .unresolved }
            results += rendered
            guard results.count <= PlaceholderTemplate.valueCountMax else { return .unresolved }
        }
        return results.isEmpty ? .one("") : PlaceholderValues(results)
    }

    /// All outputs for one element; `nil` when they are too many. Recursion is as deep as the template, thus bounded.
    private static func render(_ nodes: [Node], _ element: JSONValue) -> [String]? {
        var results = [""]
        for node in nodes {
            let alternatives: [String]?
            switch node {
            case .literal(let text): alternatives = [text]
            case .field(let pointer): alternatives = texts(element.value(at: pointer))
            case .element: alternatives = element.object == nil ? texts(element) : [""]
            case .section(let pointer, let body): alternatives = renderSection(body, element.value(at: pointer))
            }
            guard let alternatives, let product = CartesianProduct.append(alternatives, to: results) else {
                return nil
            }
            results = product
        }
        return results
    }

    private static func renderSection(_ body: [Node], _ value: JSONValue?) -> [String]? {
        guard let value, !value.isNull else { return [""] }
        var results: [String] = []
        for element in value.array ?? [value] {
            guard let rendered = render(body, element) else { return nil }
            results += rendered
            guard results.count <= PlaceholderTemplate.valueCountMax else { return nil }
        }
        return results.isEmpty ? [""] : results
    }

    private static func texts(_ value: JSONValue?) -> [String] {
        guard let value else { return [""] }
        guard let elements = value.array else { return [text(value)] }
        return elements.isEmpty ? [""] : elements.map(text)
    }

    private static func text(_ value: JSONValue) -> String {
        value.isNull ? "" : value.string ?? value.text
    }
}

/// Reads a format template; sections nest up to `depthMax`.
private struct FormatTemplateParser {
    typealias Node = FormatTemplate.Node
    typealias Failure = FormatTemplate.Failure

    private static let depthMax = 20
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    mutating func parse() throws(Failure) -> [Node] {
        try nodes(until: nil, depth: 0)
    }

    /// Reads nodes up to the end tag of the section `name`, or to the end of the text.
    private mutating func nodes(until name: String?, depth: Int) throws(Failure) -> [Node] {
        guard depth <= Self.depthMax else { throw Failure(reason: "sections are nested too deeply") }
        var nodes: [Node] = []
        var literal: [UInt8] = []
        func flush() {
            if !literal.isEmpty { nodes.append(.literal(String(decoding: literal, as: UTF8.self))) }
            literal = []
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\\"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "{") || bytes[position + 1] == UInt8(ascii: "}")
            {
                literal.append(bytes[position + 1])
                position += 2
            } else if byte == UInt8(ascii: "{") {
                let tag = try tag()
                if let name, tag == "/\(name)" || (tag == name && tag.hasPrefix("/")) {
                    flush()
                    return nodes
                }
                flush()
                nodes.append(try node(tag, depth: depth))
            } else {
                literal.append(byte)
                position += 1
            }
        }
        if let name { throw Failure(reason: "the section '{#\(name)}' has no end '{/\(name)}'") }
        flush()
        return nodes
    }

    /// The text between the brace at `position` and the next closing brace.
    private mutating func tag() throws(Failure) -> String {
        guard let close = bytes[position...].firstIndex(of: UInt8(ascii: "}")) else {
            throw Failure(reason: "a '{' has no '}'; a literal brace is '\\{'")
        }
        defer { position = close + 1 }
        return String(decoding: bytes[(position + 1)..<close], as: UTF8.self).trimmed()
    }

    private mutating func node(_ tag: String, depth: Int) throws(Failure) -> Node {
        if tag == "." { return .element }
        guard tag.utf8.first == UInt8(ascii: "#") else { return .field(try pointer(tag)) }
        let name = String(tag.dropFirst()).trimmed()
        let path = try pointer(name)
        return .section(path, try nodes(until: name, depth: depth + 1))
    }

    private func pointer(_ text: String) throws(Failure) -> JSONPointer {
        // The reason names the text, which is all that the pointer's own error says.
        guard !text.isEmpty, let pointer = try? JSONPointer(parsing: text) else {
            throw Failure(reason: "'{\(text)}' is not a field or a JSON pointer")
        }
        return pointer
    }
}
