// The topics of a target (spec/connectivity.md §1.5.1): `<topic>[?key=value[&key=value]…]`, with keys and values
// URL-encoded.
import TwinspanExpressions
import TwinspanJSON

/// Reads one topic of a target.
struct TopicReader {
    /// A decoded key or value with the way back to the text it was written in.
    private struct Decoded {
        var text = ""
        /// Offset in the topic's text of each byte of `text`, and of the end.
        var offsets: [Int] = []

        /// The range in the topic's text.
        func range(_ range: Range<Int>) -> Range<Int> {
            let start = offsets[min(range.lowerBound, offsets.count - 1)]
            return start..<max(start + 1, offsets[min(range.upperBound, offsets.count - 1)])
        }
    }

    private static let parameters = ["namespaces", "filter", "extraFields"]

    let sink: DiagnosticSink

    /// The topic; nil if it is not valid, which is reported.
    func topic(_ text: Located<String>) -> TargetTopic? {
        let bytes = Array(text.value.utf8)
        let nameEnd = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
        let name = String(decoding: bytes[..<nameEnd], as: UTF8.self)
        guard let kind = TargetTopic.Kind(rawValue: name) else {
            let names = TargetTopic.Kind.allCases.map(\.rawValue)
            report(
                text, 0..<nameEnd, "unknown topic '\(name)'", hint: "topics: \(names.joined(separator: ", "))",
                suggestion: NearestName.find(name, among: names))
            return nil
        }
        var topic = TargetTopic(kind: kind)
        guard nameEnd < bytes.count else { return topic }
        var isValid = true
        var seen: Set<String> = []
        var start = nameEnd + 1
        while start <= bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
            if start < end, !read(start..<end, of: bytes, text, into: &topic, &seen) { isValid = false }
            start = end + 1
        }
        return isValid ? topic : nil
    }

    /// - Returns: false when there was an error.
    private func read(
        _ range: Range<Int>, of bytes: [UInt8], _ text: Located<String>, into topic: inout TargetTopic,
        _ seen: inout Set<String>
    ) -> Bool {
        guard let equals = bytes[range].firstIndex(of: UInt8(ascii: "=")) else {
            warn(text, range, "a parameter without '=' is ignored", hint: "write key=value")
            return true
        }
        guard let key = decode(bytes, range.lowerBound..<equals, text),
            let value = decode(bytes, (equals + 1)..<range.upperBound, text)
        else { return false }
        let keyRange = range.lowerBound..<max(equals, range.lowerBound + 1)
        guard seen.insert(key.text).inserted else {
            report(text, keyRange, "the parameter '\(key.text)' is there twice", hint: "remove one of them")
            return false
        }
        switch (key.text, topic.kind) {
        case ("namespaces", .connectionAnnouncements), ("filter", .connectionAnnouncements),
            ("filter", .policyAnnouncements), ("extraFields", .connectionAnnouncements),
            ("extraFields", .policyAnnouncements):
            warn(text, keyRange, "the parameter '\(key.text)' has no effect on this topic", hint: "remove it")
        case ("namespaces", _):
            topic.namespaces = value.text.split(separator: ",").map { String($0.trimmed) }.filter { !$0.isEmpty }
        case ("filter", _): return readFilter(value, text, into: &topic)
        case ("extraFields", _): return readExtraFields(value, text, into: &topic)
        default:
            warn(
                text, keyRange, "the parameter '\(key.text)' is not known and ignored",
                hint: "parameters: \(Self.parameters.joined(separator: ", "))",
                suggestion: NearestName.find(key.text, among: Self.parameters))
        }
        return true
    }

    private func readFilter(_ value: Decoded, _ text: Located<String>, into topic: inout TargetTopic) -> Bool {
        do {
            topic.filter = try RQLFilter.parse(value.text, placeholders: .connection)
            return true
        } catch {
            let token = ExpressionToken.range(at: error.offset, in: value.text)
            let advice = Advice(error.advice)
            // A file shows the place in its own line; over HTTP there is none, so the excerpt goes with the error.
            report(
                text, value.range(token), "filter: \(Sentence.phrase(error.problem))", hint: advice.hint,
                suggestion: advice.suggestion, as: .filterInvalid(error))
            return false
        }
    }

    private func readExtraFields(
        _ value: Decoded, _ text: Located<String>, into topic: inout TargetTopic
    ) -> Bool {
        let pointers: [JSONPointer]
        do {
            pointers = try JSONFieldSelector(parsing: value.text).pointers
        } catch {
            report(text, value.range(0..<value.text.utf8.count), "extraFields: \(Sentence.phrase("\(error)"))")
            return false
        }
        var fields = ExtraFields(text: value.text, pointers: [])
        for pointer in pointers {
            let path = Self.template(pointer)
            do {
                fields.pointers.append(try PlaceholderTemplate.parse(path, scope: .extraFields))
            } catch {
                let advice = Advice(error.description)
                report(
                    text, placeholderRange(in: value, path, error.offset),
                    "extraFields: \(Sentence.phrase(error.message))", hint: advice.hint, suggestion: advice.suggestion,
                    as: .expression(error.code))
                return false
            }
        }
        topic.extraFields = fields
        return true
    }

    /// The pointer as text in which placeholders stand as they were written.
    private static func template(_ pointer: JSONPointer) -> String {
        pointer.segments.map { segment in
            segment.contains("{{") ? "/" + segment : JSONPointer(segments: [segment]).description
        }.joined()
    }

    /// Where the wrong placeholder of a path stands in the parameter; all of the value when parentheses moved it.
    private func placeholderRange(in value: Decoded, _ path: String, _ offset: Int) -> Range<Int> {
        let token = ExpressionToken.range(at: offset, in: path)
        let word = String(decoding: Array(path.utf8)[token], as: UTF8.self)
        guard let place = value.text.range(of: word) else { return value.range(0..<value.text.utf8.count) }
        let start = value.text.utf8.distance(from: value.text.startIndex, to: place)
        return value.range(start..<(start + word.utf8.count))
    }

    /// URL-decodes a part: `%xx` and `+` for a space.
    private func decode(_ bytes: [UInt8], _ range: Range<Int>, _ text: Located<String>) -> Decoded? {
        var decoded: [UInt8] = []
        var offsets: [Int] = []
        var index = range.lowerBound
        while index < range.upperBound {
            offsets.append(index)
            switch bytes[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < range.upperBound, let byte = PercentEncoding.byte(bytes[index + 1], bytes[index + 2])
                else {
                    report(
                        text, index..<(index + 1), "two hexadecimal digits must follow '%'", hint: "write %25 for '%'")
                    return nil
                }
                decoded.append(byte)
                index += 3
            case UInt8(ascii: "+"):
                decoded.append(0x20)
                index += 1
            default:
                decoded.append(bytes[index])
                index += 1
            }
        }
        offsets.append(range.upperBound)
        guard let result = String(validating: decoded, as: UTF8.self) else {
            report(text, range, "this is not UTF-8 when it is URL-decoded")
            return nil
        }
        return Decoded(text: result, offsets: offsets)
    }

    private func report(
        _ text: Located<String>, _ range: Range<Int>, _ message: String, hint: String? = nil,
        suggestion: String? = nil, as wire: WireError = .topicInvalid
    ) {
        sink.error(
            at: sink.spot(in: text.node, range), path: text.path, message, hint: hint, suggestion: suggestion, as: wire)
    }

    private func warn(
        _ text: Located<String>, _ range: Range<Int>, _ message: String, hint: String?, suggestion: String? = nil
    ) {
        sink.warning(at: sink.spot(in: text.node, range), path: text.path, message, hint: hint, suggestion: suggestion)
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: SubSequence {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return self[start..<end]
    }

    /// Where a text begins in this one, nil if it does not occur.
    func range(of text: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
