// Reads an envelope from bytes. What was understood before a failure travels with the error, so that the answer can
// carry the sender's correlation id and address the right thing.
public import TwinspanJSON

/// A message that is not an envelope we can use, with what could be read of it.
public struct EnvelopeFailure: Error, Sendable {
    public let error: TwinspanError
    /// Headers as far as they were readable.
    public let headers: DittoHeaders
    /// The topic, when it was readable.
    public let topic: TopicPath?

    public init(error: TwinspanError, headers: DittoHeaders = DittoHeaders(), topic: TopicPath? = nil) {
        self.error = error
        self.headers = headers
        self.topic = topic
    }
}

extension Envelope {
    /// Parses a message.
    public static func parse(_ bytes: [UInt8]) throws(EnvelopeFailure) -> Envelope {
        var scratch: [UInt8] = []
        let result: Result<Envelope, EnvelopeFailure> = bytes.withUnsafeBytes { source in
            do throws(EnvelopeFailure) {
                return .success(try parse(source, scratch: &scratch))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Parses a message; `scratch` is overwritten and may be used again for the next one.
    public static func parse(
        _ source: UnsafeRawBufferPointer, scratch: inout [UInt8], limits: JSONLimits = .standard
    ) throws(EnvelopeFailure) -> Envelope {
        scratch.removeAll(keepingCapacity: true)
        var members = Members()
        do throws(JSONSyntaxError) {
            // The scratch buffer grows while members are reported, so only their ranges are noted here.
            try JSONText.compact(source, into: &scratch, limits: limits) { key, value in
                members.ranges.append((key, value))
            }
        } catch {
            throw EnvelopeFailure(error: .jsonInvalid(error))
        }
        guard scratch.first == UInt8(ascii: "{") else {
            throw EnvelopeFailure(
                error: .jsonInvalid("The message is not a JSON object.", hint: "Send a Ditto Protocol envelope."))
        }
        return try members.envelope(in: scratch)
    }
}

/// The members of an envelope as ranges of its compact text.
private struct Members {
    var ranges: [(key: Range<Int>, value: Range<Int>)] = []

    init() { ranges.reserveCapacity(10) }

    func envelope(in text: [UInt8]) throws(EnvelopeFailure) -> Envelope {
        var headers = DittoHeaders.absent
        var topic: TopicPath?
        do throws(TwinspanError) {
            if let range = range(of: "headers", in: text) { headers = try Self.headers(text[range]) }
            guard let topicText = try string("topic", in: text) else { throw .fieldMissing("topic") }
            topic = try TopicPath(topicText)
            guard let topic else { throw .fieldMissing("topic") }
            guard let pathText = try string("path", in: text) else { throw .fieldMissing("path") }
            var envelope = Envelope(topic: topic, headers: headers, path: try Self.path(pathText, topic: topic))
            envelope.value = self.text("value", in: text)
            try readRest(into: &envelope, text: text)
            return envelope
        } catch {
            throw EnvelopeFailure(error: error, headers: headers, topic: topic)
        }
    }

    private func readRest(into envelope: inout Envelope, text: [UInt8]) throws(TwinspanError) {
        envelope.extra = self.text("extra", in: text)
        envelope.metadata = self.text("metadata", in: text)
        if let number = try integer("status", in: text), (100...599).contains(number) {
            // A status that HTTP does not know counts as absent (§4.2).
            envelope.status = Int(number)
        }
        envelope.revision = try integer("revision", in: text)
        if let timestamp = try string("timestamp", in: text) {
            guard Timestamp(parsing: timestamp) != nil else {
                throw .jsonInvalid(
                    "The timestamp '\(timestamp.shortened)' is not valid.",
                    hint: "Use an ISO-8601 instant, e.g. '2030-01-01T12:00:00Z'.")
            }
            envelope.timestamp = timestamp
        }
        if let fields = try string("fields", in: text) {
            do throws(JSONFieldSelectorError) {
                envelope.fields = try JSONFieldSelector(parsing: fields)
            } catch {
                throw GeneralErrorTable.fieldSelectorInvalid.error("The field selector is not valid: \(error)")
            }
        }
    }

    /// The path is parsed strictly, except where its tail is a message subject, a subject id or a resource key: these
    /// may hold any slashes (§3.1).
    private static func path(_ text: String, topic: TopicPath) throws(TwinspanError) -> JSONPointer {
        do throws(JSONPointerError) {
            if case .messages = topic.criterion { return try JSONPointer(messagePath: text) }
            return topic.group == .policies ? try JSONPointer(policyPath: text) : try JSONPointer(parsing: text)
        } catch {
            throw GeneralErrorTable.jsonPointerInvalid.error(
                "The JSON pointer '\(text.shortened)' is not valid.", description: "\(error)")
        }
    }

    private static func headers(_ slice: ArraySlice<UInt8>) throws(TwinspanError) -> DittoHeaders {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue.parse(Array(slice))
        } catch {
            throw .jsonInvalid(error)
        }
        guard let object = value.object else {
            if value.isNull { return DittoHeaders() }
            throw .jsonInvalid("The field 'headers' is not a JSON object.")
        }
        return DittoHeaders(object)
    }

    private func range(of name: StaticString, in text: [UInt8]) -> Range<Int>? {
        for (key, value) in ranges where key.count == name.utf8CodeUnitCount {
            let isSame = text[key].elementsEqual(
                UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            if isSame { return value }
        }
        return nil
    }

    private func text(_ name: StaticString, in text: [UInt8]) -> JSONText? {
        range(of: name, in: text).map { JSONText(uncheckedBytes: Array(text[$0])) }
    }

    private func string(_ name: StaticString, in text: [UInt8]) throws(TwinspanError) -> String? {
        guard let range = range(of: name, in: text) else { return nil }
        guard text[range.lowerBound] == UInt8(ascii: "\""), range.count >= 2 else {
            throw .jsonInvalid("The field '\(name)' is not a string.")
        }
        let body = range.lowerBound + 1..<range.upperBound - 1
        return text.withUnsafeBytes { JSONText.unescape(UnsafeRawBufferPointer(rebasing: $0[body])) }
    }

    private func integer(_ name: StaticString, in text: [UInt8]) throws(TwinspanError) -> Int64? {
        guard let range = range(of: name, in: text) else { return nil }
        guard let number = Int64(String(decoding: text[range], as: UTF8.self)) else {
            throw .jsonInvalid("The field '\(name)' is not an integer.")
        }
        return number
    }
}
