// The steps of a message or a signal through a pipeline, for people and for programs.
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanSupervisor

extension MessageTrace {
    /// The steps for people: a numbered line each, details below.
    var text: String {
        var text = steps.text
        for command in commands { text += "would be committed as: \(command) (nothing was sent anywhere)\n" }
        return text
    }

    /// The steps for programs.
    var json: JSONValue {
        .object([
            "success": .bool(isSuccess), "steps": .array(steps.map(\.json)),
            "commands": .array(commands.map { .string($0) }),
            "signals": .array(signals.map { JSONText(uncheckedBytes: $0.envelope.bytes).value }),
        ])
    }
}

extension TargetTrace {
    /// The steps for people, and what would be sent.
    var text: String {
        var text = steps.text
        for message in messages {
            text += "would be published to: \(message.address) (nothing was sent anywhere)\n"
            text += (String(validating: message.payload, as: UTF8.self) ?? Base64.encode(message.payload)) + "\n"
        }
        return text
    }

    /// The steps for programs.
    var json: JSONValue {
        let messages = messages.map { message -> JSONValue in
            var object: JSONObject = ["address": .string(message.address)]
            object["headers"] = .object(JSONObject(message.headers.map { ($0.name, .string($0.value)) }))
            object["qos"] = .number(JSONNumber(Int64(message.qos)))
            object["retain"] = .bool(message.isRetained)
            if let text = String(validating: message.payload, as: UTF8.self) {
                object["payload"] = .string(text)
            } else {
                object["payloadBase64"] = .string(Base64.encode(message.payload))
            }
            return .object(object)
        }
        return .object([
            "success": .bool(isSuccess), "steps": .array(steps.map(\.json)), "messages": .array(messages),
        ])
    }
}

extension [MessageTrace.Step] {
    fileprivate var text: String {
        let margin = String(repeating: " ", count: 14)
        var text = ""
        for (index, step) in enumerated() {
            text += "\(index + 1) \(step.kind.rawValue.padded(to: 12))\(step.line)\n"
            for detail in step.details { text += margin + "\(detail)\n" }
            guard let failure = step.failure else { continue }
            text += margin + "\(failure.status) \(failure.code)\n" + margin + "\(failure.message)\n"
            if let description = failure.description { text += margin + "→ \(description)\n" }
            guard let answer = step.answer else { continue }
            text += step.isAnswered ? "would be answered with:\n" : "no answer is sent here; it would be:\n"
            text += "\(String(decoding: answer.bytes, as: UTF8.self))\n"
        }
        return text
    }
}

extension MessageTrace.Step {
    fileprivate var line: String {
        if failure != nil { return "FAILED  \(text)" }
        guard let duration else { return text }
        let time = "\(fixed(duration.milliseconds, 3)) ms"
        return text.padded(to: 84 - time.count) + time
    }

    fileprivate var json: JSONValue {
        var object = JSONObject([("step", .string(kind.rawValue)), ("text", .string(text))])
        if !details.isEmpty { object["details"] = .array(details.map { .string($0) }) }
        if let duration { object["milliseconds"] = .number(JSONNumber(duration.milliseconds)) }
        if let failure { object["error"] = failure.json }
        if let answer {
            object["answer"] = JSONText(uncheckedBytes: answer.bytes).value
            object["isAnswered"] = .bool(isAnswered)
        }
        return .object(object)
    }
}
