// What the lint says about an MQTT connection (spec/connectivity-bindings.md §1.1, §1.2). All problems at once, each
// with its place in the connection as a JSON pointer, so that the lint can name file, line and column.
public import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol

extension MQTTFields {
    /// Something in a connection that will not work, or not as it reads.
    public struct Problem: Sendable, Equatable {
        /// A JSON pointer into the connection, e.g. `/sources/0/qos`.
        public var path: String
        /// What is wrong, one sentence.
        public var text: String
        /// What to do about it.
        public var hint: String?
        /// Whether the connection works nevertheless.
        public var isWarning: Bool

        public init(path: String, text: String, hint: String? = nil, isWarning: Bool = false) {
            self.path = path
            self.text = text
            self.hint = hint
            self.isWarning = isWarning
        }
    }

    /// All problems of a connection, in the order of its fields.
    public static func diagnose(_ connection: Connection) -> [Problem] {
        let version: Version = connection.type == .mqtt5 ? .v5 : .v311
        var problems = diagnoseURI(connection.uri, version)
        if version == .v5, connection.clientCount > 1 {
            problems.append(Problem(path: "/clientCount", text: oneClient("clientCount"), hint: share, isWarning: true))
        }
        for (index, source) in connection.sources.enumerated() {
            problems += diagnose(source, version, path: "/sources/\(index)")
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnose(target, version, path: "/targets/\(index)")
        }
        return problems + diagnoseSettings(connection.specificConfig, version) + diagnoseSession(connection)
    }

    private static func diagnoseURI(_ uri: ConnectionURI, _ version: Version) -> [Problem] {
        var problems: [Problem] = []
        if !secureSchemes.contains(uri.scheme), !plainSchemes.contains(uri.scheme) {
            problems.append(
                Problem(
                    path: "/uri", text: "The scheme '\(uri.scheme)' is not one of MQTT.",
                    hint: "use tcp://host:port, or ssl://host:port for TLS"))
        }
        if version == .v311, uri.user == nil, uri.password != nil {
            problems.append(
                Problem(path: "/uri", text: "MQTT 3.1.1 has no password without a user name.", hint: "name the user"))
        }
        return problems
    }

    private static func diagnose(_ source: Source, _ version: Version, path: String) -> [Problem] {
        var problems: [Problem] = []
        for (index, address) in source.addresses.enumerated() {
            guard let reason = MQTTTopic.problem(inFilter: address) else { continue }
            problems.append(
                Problem(path: "\(path)/addresses/\(index)", text: "The filter '\(address)' is not valid: \(reason)."))
        }
        problems += diagnoseQoS(source.qos, of: "Source", named: source.addresses.joined(separator: ";"), path: path)
        if source.qos == 2 {
            problems.append(
                Problem(
                    path: "\(path)/qos", text: "QoS 2 is subscribed as QoS 1: a crash could lose QoS 2 messages.",
                    hint: "say 1; a message may then arrive twice, which the twin does not mind", isWarning: true))
        }
        if source.consumerCount > 1, version == .v5 {
            problems.append(
                Problem(
                    path: "\(path)/consumerCount", text: oneClient("consumerCount"), hint: share, isWarning: true))
        } else if source.consumerCount > 1 {
            problems.append(
                Problem(
                    path: "\(path)/consumerCount", text: "Consumer count limited to 1 for MQTT 3.1.1.",
                    hint: "remove it; one client reads everything anyway"))
        }
        for mapping in source.headerMapping where version == .v311 {
            let placeholders = mapping.template.placeholders
            guard let foreign = placeholders.first(where: { !sourceHeaders.contains($0) }) else { continue }
            problems.append(
                Problem(
                    path: "\(path)/headerMapping/\(pointerToken(mapping.name))",
                    text: "The placeholder '\(foreign.text)' is not known here: MQTT 3.1.1 messages have no headers.",
                    hint: "allowed are constants, " + sourceHeaders.map(\.text).joined(separator: ", ")))
        }
        if let reply = source.replyTarget {
            let replyPath = "\(path)/replyTarget"
            problems += diagnoseTopic(reply.address, path: "\(replyPath)/address")
            problems += diagnoseOutgoing(reply.headerMapping, version, path: replyPath)
        }
        return problems
    }

    private static func diagnose(_ target: Target, _ version: Version, path: String) -> [Problem] {
        diagnoseTopic(target.address, path: "\(path)/address")
            + diagnoseQoS(target.qos, of: "Target", named: target.address.text, path: path)
            + diagnoseOutgoing(target.headerMapping, version, path: path)
    }

    private static func diagnoseQoS(_ qos: Int?, of kind: String, named name: String, path: String) -> [Problem] {
        guard let qos else {
            return [
                Problem(
                    path: "\(path)/qos", text: "MQTT \(kind) <\(name)> must contain QoS value.",
                    hint: "add 'qos: 1' (0 may lose messages)")
            ]
        }
        guard !(0...2).contains(qos) else { return [] }
        return [
            Problem(
                path: "\(path)/qos", text: "Invalid value '\(qos)' for configuration 'qos' in MQTT \(kind) <\(name)>.",
                hint: "use 0, 1 or 2")
        ]
    }

    /// Only what stands outside placeholders can be checked before a message is there.
    private static func diagnoseTopic(_ address: PlaceholderTemplate, path: String) -> [Problem] {
        // A placeholder is never empty, so "x" stands for what is not known yet.
        let known = address.constant ?? withoutPlaceholders(address.text) + "x"
        guard let reason = MQTTTopic.problem(inName: known) else { return [] }
        return [Problem(path: path, text: "The provided topic '\(address.text)' is not valid: \(reason).")]
    }

    /// MQTT 5 carries any header.
    private static func diagnoseOutgoing(
        _ mappings: [HeaderMapping], _ version: Version, path: String
    ) -> [Problem] {
        guard version == .v311 else { return [] }
        return mappings.compactMap { mapping in
            guard !headerNames.contains(mapping.name) else { return nil }
            return Problem(
                path: "\(path)/headerMapping/\(pointerToken(mapping.name))",
                text: "The header '\(mapping.name)' cannot be sent: MQTT 3.1.1 has no headers.",
                hint: "allowed are " + headerNames.joined(separator: ", "))
        }
    }

    private static func diagnoseSettings(_ settings: [String: String], _ version: Version) -> [Problem] {
        var problems: [Problem] = []
        func check(_ key: Key, _ problem: (String) -> (text: String, hint: String?)?) {
            guard let value = settings[key.rawValue], let found = problem(value) else { return }
            problems.append(Problem(path: "/specificConfig/\(key.rawValue)", text: found.text, hint: found.hint))
        }
        for key in [Key.separatePublisherClient, .cleanSession, .reconnectForRedelivery, .lastWillRetain] {
            check(key) { flag($0) == nil ? ("'\($0)' is not a truth value.", "use \"true\" or \"false\"") : nil }
        }
        check(.keepAlive) { value in
            guard keepAliveSeconds(value) == nil else { return nil }
            return ("The keep-alive '\(value)' is not valid.", "use 0 for none, or a duration from 5s to 65535s")
        }
        check(.receiveMaximum) { value in
            guard version == .v5 else { return nil }
            return receiveMaximum(value) == nil ? ("'\(value)' is not a receive maximum.", "use 1 to 65535") : nil
        }
        if version == .v311, settings[Key.receiveMaximum.rawValue] != nil {
            problems.append(
                Problem(
                    path: "/specificConfig/receiveMaximum", text: "MQTT 3.1.1 has no receive maximum.",
                    hint: "use 'connectionType: mqtt-5', or remove it", isWarning: true))
        }
        check(.reconnectForRedeliveryDelay) { value in
            milliseconds(value) == nil ? ("'\(value)' is not a duration.", "write it as 2s or 500ms") : nil
        }
        check(.lastWillTopic) { value in
            MQTTTopic.problem(inName: value).map { ("The provided topic '\(value)' is not valid: \($0).", nil) }
        }
        check(.lastWillQos) { qos($0) == nil ? ("'\($0)' is not a QoS.", "use 0, 1 or 2") : nil }
        for key in [Key.clientID, .publisherID] {
            check(key) { value in
                value.utf8.contains(0) || value.utf8.count > MQTTTopic.maximumLength
                    ? ("The client id is not valid.", "use at most 65535 bytes without U+0000") : nil
            }
        }
        if settings[Key.lastWillTopic.rawValue] == nil {
            for key in [Key.lastWillQos, .lastWillRetain, .lastWillMessage] where settings[key.rawValue] != nil {
                problems.append(
                    Problem(
                        path: "/specificConfig/\(key.rawValue)", text: "There is no last will without a topic.",
                        hint: "set lastWillTopic", isWarning: true))
            }
        }
        return problems
    }

    private static func diagnoseSession(_ connection: Connection) -> [Problem] {
        var problems: [Problem] = []
        let settings = connection.specificConfig
        let id = settings[Key.clientID.rawValue]
        if let publisher = settings[Key.publisherID.rawValue], publisher == id ?? connection.id.text, !publisher.isEmpty
        {
            problems.append(
                Problem(
                    path: "/specificConfig/publisherId",
                    text: "Consumer and publisher cannot share the client id '\(publisher)'.",
                    hint: "give the publisher an id of its own; '\(publisher)p' is used"))
        }
        if settings[Key.reconnectForRedelivery.rawValue].flatMap(flag) == true {
            problems.append(
                Problem(
                    path: "/specificConfig/reconnectForRedelivery",
                    text: "'reconnectForRedelivery' has no effect: messages that wait are kept and tried again here.",
                    hint: "remove it", isWarning: true))
        }
        let isClean = settings[Key.cleanSession.rawValue].flatMap(flag) ?? false
        guard isClean || id == "", connection.sources.contains(where: { ($0.qos ?? 0) > 0 }) else { return problems }
        problems.append(
            Problem(
                path: isClean ? "/specificConfig/cleanSession" : "/specificConfig/clientId",
                text: "Without a persistent session, messages sent while this connection is down are lost.",
                hint: isClean ? "remove cleanSession" : "give the client an id", isWarning: true))
        return problems
    }

    private static func oneClient(_ field: String) -> String {
        "'\(field)' has no effect: one client reads everything, in order."
    }
    private static let share = "remove it; to share the work, read '$share/<group>/<filter>' in several connections"

    /// The only headers MQTT 3.1.1 messages are given.
    private static let headerNames = ["mqtt.topic", "mqtt.qos", "mqtt.retain"]
    private static let sourceHeaders = headerNames.map { Placeholder.header($0) }

    /// What stands outside the placeholders of a template.
    private static func withoutPlaceholders(_ template: String) -> String {
        var kept: [UInt8] = []
        var rest = Array(template.utf8)[...]
        while let byte = rest.first {
            let isLegacy = byte == UInt8(ascii: "$")
            guard rest.dropFirst().first == UInt8(ascii: "{"), isLegacy || byte == UInt8(ascii: "{"),
                let end = rest.firstIndex(of: UInt8(ascii: "}"))
            else {
                kept.append(rest.removeFirst())
                continue
            }
            rest = rest[(end + 1)...]
            if !isLegacy, rest.first == UInt8(ascii: "}") { rest.removeFirst() }
        }
        return String(decoding: kept, as: UTF8.self)
    }

    /// A name as one segment of a JSON pointer.
    private static func pointerToken(_ name: String) -> String {
        var token = ""
        for character in name {
            switch character {
            case "~": token += "~0"
            case "/": token += "~1"
            default: token.append(character)
            }
        }
        return token
    }
}
