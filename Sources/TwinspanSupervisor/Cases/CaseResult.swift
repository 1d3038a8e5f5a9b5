// Runs a test case through the pipelines' own stages and compares what comes of it with what was expected.
import Glibc
public import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
public import TwinspanMapping
import TwinspanProtocol

/// What became of a test case.
public struct CaseResult: Sendable {
    /// One thing that is not as expected.
    public struct Finding: Sendable, Equatable {
        /// E.g. `message 1`; empty for the case as a whole.
        public var place: String
        /// A JSON pointer into the message.
        public var path: String
        public var expected: String
        public var found: String

        /// The finding in one line.
        public var text: String {
            let front = [place, path].filter { !$0.isEmpty }.joined(separator: " ")
            return (front.isEmpty ? "" : front + ": ") + "expected \(expected), found \(found)"
        }
    }

    public let mappingCase: MappingCase
    /// Empty when the case has passed.
    public let findings: [Finding]
    public let duration: Duration

    public var isPassed: Bool { findings.isEmpty }

    /// The most findings a case tells; more of them help nobody.
    static let findingsMax = 20

    /// Runs a case. Nothing is sent and nothing is stored.
    public init(_ mappingCase: MappingCase, mappers: MapperRegistry) {
        let start = ContinuousClock.now
        self.mappingCase = mappingCase
        do throws(TwinspanError) {
            let outcome = try CaseOutcome(mappingCase, mappers: mappers)
            findings = Array(outcome.findings(mappingCase.expectation).prefix(Self.findingsMax))
        } catch {
            findings = [
                Finding(place: "", path: "", expected: "mappers that can be made", found: CaseOutcome.words(error))
            ]
        }
        duration = ContinuousClock.now - start
    }
}

/// What has come of the input of a case.
private struct CaseOutcome {
    /// One resulting message. Members that are compared only when they are named are kept apart.
    struct Message {
        var json: JSONObject
        var optional = JSONObject()
    }

    var messages: [Message] = []
    var errors: [TwinspanError] = []
    /// Why nothing came of it, for people.
    var lastStep = ""

    init(_ mappingCase: MappingCase, mappers: MapperRegistry) throws(TwinspanError) {
        let clock = CaseClock(now: mappingCase.time)
        let steps: [MessageTrace.Step]
        switch mappingCase.input {
        case .message(let message):
            let trace = try MessageTrace(
                payload: message.payload, address: message.address, qos: message.qos, headers: message.headers,
                connection: mappingCase.connection, sourceIndex: message.source, clock: clock, mappers: mappers)
            messages = trace.signals.map(Self.message)
            steps = trace.steps
        case .signal(let signal):
            let trace = try TargetTrace(
                signal: signal.envelope, connection: mappingCase.connection, targetIndex: signal.target, clock: clock,
                mappers: mappers)
            messages = trace.messages.map(Self.message)
            steps = trace.steps
        }
        errors = steps.compactMap(\.failure)
        lastStep = steps.last.map { "\($0.kind.rawValue) \($0.text)" } ?? ""
    }

    // MARK: Messages

    private static func message(_ signal: MessageTrace.TracedSignal) -> Message {
        var json = JSONText(uncheckedBytes: signal.envelope.bytes).value.object ?? JSONObject()
        var optional = JSONObject()
        if signal.isCorrelationIDMade, var headers = json["headers"]?.object {
            headers.remove(KnownHeader.correlationID.rawValue)
            json["headers"] = .object(headers)
        }
        // Headers that are none need not be written.
        if json["headers"]?.object?.isEmpty == true { optional["headers"] = json.remove("headers") }
        return Message(json: json, optional: optional)
    }

    private static func message(_ message: OutboundMessage) -> Message {
        var json: JSONObject = ["address": .string(message.address)]
        let text = String(validating: message.payload, as: UTF8.self)
        var optional: JSONObject = [
            "qos": .number(JSONNumber(Int64(message.qos))), "retain": .bool(message.isRetained),
            "payloadBase64": .string(Base64.encode(message.payload)),
        ]
        if let text {
            // What is no JSON is a text.
            json["payload"] = (try? JSONValue.parse(text)) ?? .string(text)
        } else {
            json["payloadBase64"] = optional.remove("payloadBase64")
        }
        optional["payload"] = text.map { .string($0) } ?? .string("")
        if text == nil { optional.remove("payload") }
        let headers = JSONObject(message.headers.map { ($0.name, .string($0.value)) })
        if headers.isEmpty { optional["headers"] = .object(headers) } else { json["headers"] = .object(headers) }
        return Message(json: json, optional: optional)
    }

    // MARK: Comparing

    func findings(_ expectation: MappingCase.Expectation) -> [CaseResult.Finding] {
        var findings = errorFindings(expectation.errorCode)
        let expected = expectation.messages ?? []
        for (index, pattern) in expected.enumerated() {
            let place = "message \(index + 1)"
            guard messages.indices.contains(index) else {
                // An error that was not expected has been told and explains it.
                let reason = errors.isEmpty ? "none (\(lastStep))" : "none"
                findings.append(
                    CaseResult.Finding(place: place, path: "", expected: "a message", found: reason))
                continue
            }
            findings += compare(messages[index], pattern).map {
                CaseResult.Finding(place: place, path: $0.path, expected: $0.expected, found: $0.found)
            }
        }
        for index in messages.indices.dropFirst(expected.count) {
            findings.append(
                CaseResult.Finding(
                    place: "message \(index + 1)", path: "", expected: "no message",
                    found: JSONValue.object(messages[index].json).brief))
        }
        return findings
    }

    private func errorFindings(_ code: String?) -> [CaseResult.Finding] {
        let expected = code.map { "the error \($0)" } ?? "no error"
        if errors.isEmpty, code != nil {
            let found = messages.isEmpty ? "none (\(lastStep))" : "none"
            return [CaseResult.Finding(place: "", path: "", expected: expected, found: found)]
        }
        return errors.filter { $0.code != code }.map {
            CaseResult.Finding(place: "", path: "", expected: expected, found: Self.words($0))
        }
    }

    private func compare(_ message: Message, _ pattern: MappingCase.Pattern) -> [JSONDifference] {
        var found = message.json
        if let named = pattern.value.object {
            for (key, value) in message.optional where named[key] != nil && found[key] == nil { found[key] = value }
            // A payload that was written as text is compared as text.
            if case .string? = named["payload"], let text = message.optional["payload"] { found["payload"] = text }
            if named["payload"] == nil, named["payloadBase64"] != nil { found.remove("payload") }
        }
        return JSONDifference.between(
            expected: pattern.value, found: .object(found), isPartial: pattern.isPartial)
    }

    static func words(_ error: TwinspanError) -> String {
        let text = "\(error.code): \(error.message)"
        return error.description.map { "\(text) \($0)" } ?? text
    }
}

/// A clock that says what a case wants, so that its results do not depend on the time of day.
private struct CaseClock: EngineClock {
    let now: Timestamp
    var monotonic: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
