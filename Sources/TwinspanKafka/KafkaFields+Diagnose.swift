// What the lint says about a Kafka connection (spec/connectivity-bindings.md §4.1), and about one of Eclipse Hono as
// it was entered (§6). All problems at once, each with its place in the connection as a JSON pointer.
public import TwinspanConnections
import TwinspanExpressions

extension KafkaFields {
    /// All problems of a Kafka connection, in the order of its fields.
    public static func diagnose(_ connection: Connection) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        if connection.uri.scheme != "tcp", connection.uri.scheme != "ssl" {
            problems.append(
                BindingProblem(
                    path: "/uri", message: "The scheme '\(connection.uri.scheme)' is not one of Kafka.",
                    hint: "use tcp://host:port, or ssl://host:port for TLS"))
        }
        for (index, source) in connection.sources.enumerated() {
            for (place, address) in source.addresses.enumerated() {
                guard let problem = KafkaAddress.problem(inTopic: address) else { continue }
                problems.append(
                    BindingProblem(
                        path: "/sources/\(index)/addresses/\(place)", message: problem,
                        hint: "a topic's name has 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'; no wildcards"))
            }
            problems += diagnoseQoS(of: source, index)
            if let reply = source.replyTarget {
                problems += diagnose(address: reply.address, path: "/sources/\(index)/replyTarget/address")
            }
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnose(address: target.address, path: "/targets/\(index)/address")
        }
        return problems + diagnoseSettings(connection)
    }

    /// All problems of a connection of Eclipse Hono.
    public static func diagnoseHono(_ connection: Connection) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        let aliases = HonoResolution.sourceAliases.joined(separator: ", ")
        for (index, source) in connection.sources.enumerated() {
            for (place, address) in source.addresses.enumerated()
            where !HonoResolution.sourceAliases.contains(address) {
                problems.append(
                    BindingProblem(
                        path: "/sources/\(index)/addresses/\(place)",
                        message: "The provided source address \(address) is invalid. "
                            + "It should be one of the defined aliases: \(aliases)."))
            }
            problems += diagnoseQoS(of: source, index)
            if let reply = source.replyTarget, reply.isEnabled {
                problems += diagnose(
                    honoAddress: reply.address, path: "/sources/\(index)/replyTarget/address")
            }
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnose(honoAddress: target.address, path: "/targets/\(index)/address")
        }
        for key in connection.specificConfig.keys.sorted()
        where key != HonoResolution.tenantKey && key != Key.groupID.rawValue {
            problems.append(
                BindingProblem(
                    path: "/specificConfig/\(key)", message: "The setting '\(key)' has no effect.",
                    hint: "settings: \(HonoResolution.tenantKey), \(Key.groupID.rawValue); "
                        + "the others come from 'hono' in twinspan.yaml",
                    isWarning: true))
        }
        return problems + diagnoseGroup(connection)
    }

    private static func diagnose(honoAddress: PlaceholderTemplate, path: String) -> [BindingProblem] {
        guard honoAddress.text != HonoResolution.commandAlias else { return [] }
        return [
            BindingProblem(
                path: path,
                message: "The provided target address \(honoAddress.text) is invalid. It should be <command>.")
        ]
    }

    private static func diagnoseQoS(of source: Source, _ index: Int) -> [BindingProblem] {
        guard let qos = source.qos, !(0...1).contains(qos) else { return [] }
        return [
            BindingProblem(
                path: "/sources/\(index)/qos",
                message: "Invalid value '\(qos)' for configuration 'qos' in Kafka Source.",
                hint: "use 0 or 1; both are read exactly once in effect")
        ]
    }

    /// What can be said before a message is there: a placeholder may stand for a number or for text, so for "0".
    private static func diagnose(address: PlaceholderTemplate, path: String) -> [BindingProblem] {
        do {
            _ = try KafkaAddress(address.constant ?? withPlaceholdersAsZero(address.text))
            return []
        } catch {
            return [
                BindingProblem(
                    path: path, message: "The address '\(address.text)' is not valid: \(error.text)",
                    hint: "write topic, topic/key or topic#partition")
            ]
        }
    }

    private static func diagnoseSettings(_ connection: Connection) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        let settings = connection.specificConfig
        func check(_ key: Key, _ hint: String, _ isFine: (String) -> Bool) {
            guard let value = settings[key.rawValue], !isFine(value) else { return }
            let what =
                key == .bootstrapServers
                ? "The provided list of bootstrap servers '\(value)' is not valid."
                : "The value '\(value)' of '\(key.rawValue)' is not valid."
            problems.append(BindingProblem(path: "/specificConfig/\(key.rawValue)", message: what, hint: hint))
        }
        if settings[Key.bootstrapServers.rawValue] == nil {
            problems.append(
                BindingProblem(
                    path: "/specificConfig/bootstrapServers", message: "A Kafka connection needs 'bootstrapServers'.",
                    hint: "add specificConfig: {bootstrapServers: \"host:port\"}; the one in 'uri' is merged into it"))
        }
        check(.bootstrapServers, "write host:port, host:port") { servers($0) != nil }
        if connection.uri.user != nil {
            check(.saslMechanism, "use \(mechanisms.joined(separator: ", "))") {
                mechanisms.contains($0.uppercased())
            }
        }
        check(.consumerOffsetReset, "use earliest or latest") { ["earliest", "latest"].contains($0.lowercased()) }
        check(.debugEnabled, "use \"true\" or \"false\"") { ["true", "false"].contains($0.lowercased()) }
        check(.compression, "use \(compressions.joined(separator: ", "))", compressions.contains)
        check(.lingerMilliseconds, "use milliseconds from 0 to \(lingerRange.upperBound)") {
            number($0, in: lingerRange) != nil
        }
        check(
            .sessionTimeoutMilliseconds,
            "use milliseconds from \(sessionTimeoutRange.lowerBound) to \(sessionTimeoutRange.upperBound)"
        ) {
            number($0, in: sessionTimeoutRange) != nil
        }
        return problems + diagnoseGroup(connection)
    }

    private static func diagnoseGroup(_ connection: Connection) -> [BindingProblem] {
        guard connection.specificConfig[Key.groupID.rawValue] != nil else { return [] }
        let group = groupID(of: connection)
        let isLegal =
            !group.isEmpty
            && group.utf8.allSatisfy { byte in
                KafkaAddress.problem(inTopic: "x" + String(UnicodeScalar(byte))) == nil
            }
        guard !isLegal else { return [] }
        return [
            BindingProblem(
                path: "/specificConfig/groupId", message: "The group '\(group)' is not valid.",
                hint: "use a-z, A-Z, 0-9, '.', '_' and '-'; '{{ connection:id }}' is resolved")
        ]
    }

    /// The text of a template with each placeholder as "0".
    private static func withPlaceholdersAsZero(_ template: String) -> String {
        var text = ""
        var rest = template[...]
        while let start = rest.firstRange(of: "{"), let end = rest[start.upperBound...].firstRange(of: "}") {
            var head = rest[..<start.lowerBound]
            if head.hasSuffix("$") { head = head.dropLast() }
            text += head + "0"
            rest = rest[end.upperBound...]
            if rest.hasPrefix("}") { rest = rest.dropFirst() }
        }
        return text + rest
    }
}
