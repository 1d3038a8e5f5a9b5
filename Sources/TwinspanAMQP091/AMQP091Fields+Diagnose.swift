// What the lint says about an AMQP 0.9.1 connection (spec/connectivity-bindings.md §2). All problems at once, each with
// its place in the connection as a JSON pointer, so that the lint can name file, line and column.
public import TwinspanConnections
import TwinspanExpressions

extension AMQP091Fields {
    /// All problems of a connection, in the order of its fields.
    public static func diagnose(_ connection: Connection) -> [BindingProblem] {
        var problems = diagnoseURI(connection.uri)
        for (index, source) in connection.sources.enumerated() {
            let path = "/sources/\(index)"
            for (index, queue) in source.addresses.enumerated() where queue.utf8.count > 255 || queue.utf8.contains(0) {
                problems.append(
                    BindingProblem(
                        path: "\(path)/addresses/\(index)", message: "'\(queue)' cannot be the name of a queue.",
                        hint: "use at most 255 bytes"))
            }
            if let reply = source.replyTarget {
                problems += diagnoseAddress(reply.address, path: "\(path)/replyTarget/address")
            }
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnoseAddress(target.address, path: "/targets/\(index)/address")
        }
        return problems + diagnoseSettings(connection.specificConfig)
    }

    private static func diagnoseURI(_ uri: ConnectionURI) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        if uri.scheme != secureScheme, uri.scheme != plainScheme {
            problems.append(
                BindingProblem(
                    path: "/uri", message: "The scheme '\(uri.scheme)' is not one of AMQP 0.9.1.",
                    hint: "use amqp://host:port/vhost, or amqps:// for TLS"))
        }
        if vhost(uri.path) == nil {
            problems.append(
                BindingProblem(
                    path: "/uri", message: "The path '\(uri.path)' does not name a virtual host.",
                    hint: "write a '/' within its name as %2F"))
        }
        if uri.user == nil, uri.password != nil {
            problems.append(BindingProblem(path: "/uri", message: "A password needs a user.", hint: "name the user"))
        }
        return problems
    }

    /// Only what stands outside placeholders can be checked before a message is there.
    private static func diagnoseAddress(_ address: PlaceholderTemplate, path: String) -> [BindingProblem] {
        let known = withoutPlaceholders(address.text)
        guard known.utf8.filter({ $0 == UInt8(ascii: "/") }).count != 1 || known.hasSuffix("/") else { return [] }
        return [
            BindingProblem(
                path: path,
                message: "The target address '\(address.text)' must be specified in the form 'exchange/routingKey'.",
                hint: "write exactly one '/'; for the default exchange '/queue'")
        ]
    }

    private static func diagnoseSettings(_ settings: [String: String]) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        for key in Key.allCases {
            guard let value = settings[key.rawValue] else { continue }
            let path = "/specificConfig/\(key.rawValue)"
            if let range = ranges[key] {
                if number(value, key) == nil {
                    problems.append(
                        BindingProblem(
                            path: path, message: "'\(value)' is not valid.",
                            hint: "use a number from \(range.lowerBound) to \(range.upperBound)"))
                }
            } else if Bool(value) == nil {
                problems.append(
                    BindingProblem(
                        path: path, message: "'\(value)' is not a truth value.", hint: "use \"true\" or \"false\""))
            }
            if let hint = unused[key] {
                problems.append(
                    BindingProblem(path: path, message: "'\(key.rawValue)' has no effect.", hint: hint, isWarning: true)
                )
            }
        }
        if settings[Key.requestedHeartbeat.rawValue] == "0" {
            problems.append(
                BindingProblem(
                    path: "/specificConfig/requestedHeartbeat",
                    message: "Without heartbeats a dead broker goes unnoticed: they are sent every "
                        + "\(defaultHeartbeatSeconds) s.", hint: "say how many seconds, or remove it", isWarning: true))
        }
        return problems
    }

    /// Settings of Ditto's client that have no counterpart here, and why.
    private static let unused: [Key: String] = [
        .networkRecoveryInterval: "remove it; lost connections are made again at once, then after growing pauses",
        .shutdownTimeout: "remove it; a connection that is closed has the time of the service's own shutdown",
        .channelShouldCheckRpcResponseType: "remove it; answers are always checked",
        .topologyRecoveryEnabled: "remove it; what is consumed is asked for again after every reconnect",
    ]

    /// A template whose placeholders, with any `/` in them, are an `x`.
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
            kept.append(UInt8(ascii: "x"))
            rest = rest[(end + 1)...]
            if !isLegacy, rest.first == UInt8(ascii: "}") { rest.removeFirst() }
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
