// Literal text mixed with `{{ expression }}` or the legacy `${expression}` (spec/mapping.md §1). Compiled once with the
// configuration, resolved per message against a resolver.

/// A compiled template.
///
/// - Constant templates and templates of one bare placeholder resolve without allocating more than their result.
/// - Several multi-valued expressions yield the cartesian product, the last one varying fastest.
public struct PlaceholderTemplate: Sendable, Hashable {
    /// The most values one template may yield. Arrays in a payload are the sender's choice, and their product is what
    /// exhausts memory; a template above the bound is unresolved.
    public static let valueCountMax = 10_000

    enum Part: Sendable, Hashable {
        case literal(String)
        case pipeline(Pipeline)
    }

    /// The template as written.
    public let text: String
    let parts: [Part]

    /// Compiles `text`.
    ///
    /// - Throws: any `placeholder:` code of spec/protocol.md §12.11; an opening `{{` without `}}` is
    ///   `placeholder:unresolved`.
    public static func parse(
        _ text: String, scope: PlaceholderScope
    ) throws(PlaceholderError) -> PlaceholderTemplate {
        let bytes = Array(text.utf8)
        var parts: [Part] = []
        var literalStart = 0
        var position = 0
        while position + 1 < bytes.count {
            guard let expression = try expression(in: bytes, at: position) else {
                position += 1
                continue
            }
            if literalStart < position {
                parts.append(.literal(String(decoding: bytes[literalStart..<position], as: UTF8.self)))
            }
            var parser = PipelineParser(bytes: bytes, range: expression.range, scope: scope)
            parser.isLegacy = expression.isLegacy
            parts.append(.pipeline(try parser.parse()))
            position = expression.end
            literalStart = position
        }
        if literalStart < bytes.count, !parts.isEmpty {
            parts.append(.literal(String(decoding: bytes[literalStart...], as: UTF8.self)))
        }
        return PlaceholderTemplate(text: text, parts: parts)
    }

    /// The literal text when there is no expression at all; `nil` otherwise.
    public var constant: String? { parts.isEmpty ? text : nil }

    /// The placeholders, arguments of functions included, in reading order.
    public var placeholders: [Placeholder] {
        var found: [Placeholder] = []
        for case .pipeline(let pipeline) in parts {
            found += pipeline.placeholders
        }
        return found
    }

    /// The values for one message. Never `many` with fewer than two values.
    ///
    /// A deleted expression contributes nothing; when every part is deleted, so is the result. One unresolved
    /// expression makes the whole template unresolved.
    public func resolve(_ resolver: any PlaceholderResolver) -> PlaceholderValues {
        if parts.isEmpty { return .one(text) }
        if parts.count == 1, case .pipeline(let pipeline) = parts[0] {
            return pipeline.resolve(resolver, input: .unresolved)
        }
        return concatenate(resolver)
    }

    private func concatenate(_ resolver: any PlaceholderResolver) -> PlaceholderValues {
        var results = [""]
        var isDeleted = true
        for part in parts {
            let values: PlaceholderValues =
                switch part {
                case .literal(let literal): .one(literal)
                case .pipeline(let pipeline): pipeline.resolve(resolver, input: .unresolved)
                }
            switch values {
            case .unresolved: return .unresolved
            case .deleted: continue
            case .one(let value):
                for index in results.indices { results[index] += value }
            case .many(let values):
                guard let product = CartesianProduct.append(values, to: results) else { return .unresolved }
                results = product
            }
            isDeleted = false
        }
        return isDeleted ? .deleted : PlaceholderValues(results)
    }

    /// The expression that starts at `position`, if one does: its range without braces, and where the text goes on.
    private static func expression(
        in bytes: [UInt8], at position: Int
    ) throws(PlaceholderError) -> (range: Range<Int>, end: Int, isLegacy: Bool)? {
        let brace = UInt8(ascii: "{")
        guard bytes[position + 1] == brace else { return nil }
        let start = position + 2
        if bytes[position] == UInt8(ascii: "$") {
            // Without a closing brace this is ordinary text, such as a price or a shell fragment.
            guard let close = bytes[start...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
            return (start..<close, close + 1, true)
        }
        guard bytes[position] == brace else { return nil }
        var close = start
        while close + 1 < bytes.count {
            if bytes[close] == UInt8(ascii: "}"), bytes[close + 1] == UInt8(ascii: "}") {
                return (start..<close, close + 2, false)
            }
            close += 1
        }
        throw .unresolved("The expression is not closed.", "End it with '}}'.", at: position)
    }
}

/// Combines the texts so far with the alternatives of the next part.
enum CartesianProduct {
    /// `nil` when the result would exceed `PlaceholderTemplate.valueCountMax`.
    static func append(_ alternatives: [String], to texts: [String]) -> [String]? {
        let (count, isOverflow) = texts.count.multipliedReportingOverflow(by: alternatives.count)
        guard !isOverflow, count <= PlaceholderTemplate.valueCountMax else { return nil }
        var product: [String] = []
        product.reserveCapacity(count)
        for text in texts {
            for alternative in alternatives { product.append(text + alternative) }
        }
        return product
    }
}
