// What the lint says about an AMQP 1.0 connection (spec/connectivity-bindings.md §3). All problems at once, each with
// its place in the connection as a JSON pointer, so that the lint can name file, line and column.
public import TwinspanConnections
import TwinspanExpressions

extension AMQP10Fields {
    /// All problems of a connection, in the order of its fields.
    public static func diagnose(_ connection: Connection) -> [BindingProblem] {
        var problems = diagnoseURI(connection)
        for (index, source) in connection.sources.enumerated() {
            for (number, address) in source.addresses.enumerated() {
                problems += diagnose(address, path: "/sources/\(index)/addresses/\(number)", isSource: true)
            }
            if let reply = source.replyTarget {
                problems += diagnose(reply.address, path: "/sources/\(index)/replyTarget/address")
            }
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnose(target.address, path: "/targets/\(index)/address")
        }
        return problems + diagnoseSettings(connection)
    }

    private static func diagnoseURI(_ connection: Connection) -> [BindingProblem] {
        let uri = connection.uri
        guard secureSchemes.contains(uri.scheme) || plainSchemes.contains(uri.scheme) else {
            return [
                BindingProblem(
                    path: "/uri", message: "The scheme '\(uri.scheme)' is not one of AMQP 1.0.",
                    hint: "use amqp://host:port, or amqps://host:port for TLS")
            ]
        }
        let isNear = ["localhost", "127.0.0.1", "::1"].contains(uri.host)
        guard plainSchemes.contains(uri.scheme), uri.password != nil, !isNear, connection.sshTunnel == nil else {
            return []
        }
        return [
            BindingProblem(
                path: "/uri", message: "The password goes over the network as it is.",
                hint: "use amqps:// where the broker has it", isWarning: true)
        ]
    }

    private static func diagnose(_ address: PlaceholderTemplate, path: String) -> [BindingProblem] {
        address.constant.map { diagnose($0, path: path, isSource: false) } ?? []
    }

    private static func diagnose(_ text: String, path: String, isSource: Bool) -> [BindingProblem] {
        let address = AMQP10Address(text)
        if let problem = address.problem {
            return [BindingProblem(path: path, message: "The address '\(text)' is not valid: \(problem).")]
        }
        guard address.name.hasPrefix("/exchange/") || address.name.hasPrefix("/topic/") else { return [] }
        return [
            BindingProblem(
                path: path,
                message: isSource
                    ? "RabbitMQ makes a queue for '\(text)' that ends with the connection: what is sent while it is "
                        + "down is lost."
                    : "RabbitMQ up to 3.10 accepts messages to '\(text)' that reach no queue, and drops them.",
                hint: "bind a queue and use /amq/queue/NAME", isWarning: true)
        ]
    }

    private static func diagnoseSettings(_ connection: Connection) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        let settings = connection.specificConfig
        func check(_ key: Key, _ hint: String, _ isValid: (String) -> Bool) {
            guard let value = settings[key.rawValue], !isValid(value) else { return }
            problems.append(
                BindingProblem(
                    path: "/specificConfig/\(key.rawValue)", message: "'\(value)' is not valid for '\(key.rawValue)'.",
                    hint: hint))
        }
        check(.idleTimeout, "write milliseconds; -1 means none") { idle($0) != nil }
        check(.maxFrameSize, "write bytes, from \(frameSizeRange.lowerBound) to \(frameSizeRange.upperBound)") {
            Int($0).map(frameSizeRange.contains) ?? false
        }
        for key in [Key.connectTimeout, .sendTimeout, .requestTimeout] {
            check(key, "write milliseconds") { milliseconds($0) != nil }
        }
        check(.prefetch, "write a number from \(prefetchRange.lowerBound) to \(prefetchRange.upperBound)") {
            Int($0).map(prefetchRange.contains) ?? false
        }
        check(.clientID, "use at least one character and no U+0000") { !$0.isEmpty && !$0.utf8.contains(0) }
        check(.vhost, "use at least one character and no U+0000") { !$0.isEmpty && !$0.utf8.contains(0) }
        return problems + diagnoseMechanisms(connection)
    }

    private static func diagnoseMechanisms(_ connection: Connection) -> [BindingProblem] {
        let text = connection.specificConfig[Key.saslMechanisms.rawValue]
        guard let allowed = allowedMechanisms(text) else { return [] }
        let path = "/specificConfig/\(Key.saslMechanisms.rawValue)"
        let known = allowed.filter(mechanisms.contains)
        guard !known.isEmpty else {
            return [
                BindingProblem(
                    path: path, message: "None of the mechanisms '\(text ?? "")' can be used.",
                    hint: "use " + mechanisms.joined(separator: ", "))
            ]
        }
        let possible = AMQP10Login(connection).possibleMechanisms
        guard !known.contains(where: possible.contains) else { return [] }
        return [
            BindingProblem(
                path: path, message: "There are no credentials for \(known.joined(separator: ", ")).",
                hint: "PLAIN needs user and password in 'uri', EXTERNAL a client certificate and amqps://")
        ]
    }
}
