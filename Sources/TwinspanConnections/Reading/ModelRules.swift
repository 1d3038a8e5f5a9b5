// Rules of Ditto's validation that need the whole connection (spec/connectivity.md §1.1, §7.4), and advice that does.
import TwinspanExpressions
import TwinspanProtocol

/// Finds what does not fit together inside one connection.
enum ModelRules {
    struct Problem {
        let binding: BindingProblem
        let wire: WireError
    }

    /// Settings of response diversion (§7.4).
    private static let isSource = "is-diversion-source"
    private static let isTarget = "is-diversion-target"
    private static let keepsResponse = "preserve-normal-response-via-source"
    private static let authorizedSources = "authorized-connections-as-sources"
    private static let divertTo = "divert-response-to-connection"
    private static let divertTypes = "divert-expected-response-types"

    /// All problems, in the order of the validation.
    static func problems(_ connection: Connection) -> [Problem] {
        announcements(connection) + diversionSettings(connection) + diversionHeaders(connection)
    }

    /// Several clients would announce the opening of one connection several times.
    private static func announcements(_ connection: Connection) -> [Problem] {
        guard connection.clientCount > 1 else { return [] }
        return connection.targets.enumerated().compactMap { index, target in
            guard target.topics.contains(where: { $0.kind == .connectionAnnouncements }) else { return nil }
            return problem(
                "/targets/\(index)/topics",
                "connection announcements are for connections with one client, not \(connection.clientCount)",
                hint: "remove the topic, or clientCount")
        }
    }

    // MARK: Diversion

    private static func diversionSettings(_ connection: Connection) -> [Problem] {
        let settings = connection.specificConfig
        var problems: [Problem] = []
        for key in [isSource, isTarget, keepsResponse] {
            guard let value = settings[key], value != "true", value != "false" else { continue }
            problems.append(
                problem(
                    "/specificConfig/\(key)", "'\(value)' is not a truth value", hint: "use \"true\" or \"false\"",
                    isWarning: true))
        }
        if settings[isTarget] == "true" {
            for (index, target) in connection.targets.enumerated() where !target.topics.isEmpty {
                problems.append(
                    problem(
                        "/targets/\(index)/topics", "a target of a diversion connection has no topics",
                        hint: "leave topics empty: it gets diverted responses only"))
            }
        }
        let ids = settings[authorizedSources].map { words($0) } ?? []
        for id in ids where !isID(id) {
            problems.append(
                problem(
                    "/specificConfig/\(authorizedSources)", "'\(id)' is not a connection id",
                    hint: "write ids with commas between them", wire: .idInvalid))
        }
        for key in [keepsResponse] where settings[key] == "true" && settings[isSource] != "true" {
            problems.append(
                problem(
                    "/specificConfig/\(key)", "'\(key)' has no effect without '\(isSource)'",
                    hint: "set \(isSource) to \"true\", or remove it", isWarning: true))
        }
        for key in [authorizedSources] where !ids.isEmpty && settings[isTarget] != "true" {
            problems.append(
                problem(
                    "/specificConfig/\(key)", "'\(key)' has no effect without '\(isTarget)'",
                    hint: "set \(isTarget) to \"true\", or remove it", isWarning: true))
        }
        if settings[isTarget] == "true", ids.isEmpty {
            problems.append(
                problem(
                    "/specificConfig/\(isTarget)", "no connection may divert its responses to this one",
                    hint: "name them in \(authorizedSources)", isWarning: true))
        }
        return problems
    }

    private static func diversionHeaders(_ connection: Connection) -> [Problem] {
        let diverts = connection.specificConfig[isSource] == "true"
        var problems: [Problem] = []
        for (index, source) in connection.sources.enumerated() {
            for mapping in source.headerMapping {
                let path = "/sources/\(index)/headerMapping/\(mapping.writtenName)"
                // What holds a placeholder is known with the message only.
                guard let value = mapping.template.constant else { continue }
                if mapping.name == divertTo {
                    problems += destination(value, connection, diverts: diverts, path)
                } else if mapping.name == divertTypes, diverts {
                    problems += responseTypes(value, path)
                }
            }
        }
        return problems
    }

    private static func destination(
        _ value: String, _ connection: Connection, diverts: Bool, _ path: String
    ) -> [Problem] {
        if value.trimmed.isEmpty {
            return [problem(path, "the connection to divert responses to is empty", hint: "name its id")]
        }
        if !isID(value) {
            return [problem(path, "'\(value)' is not a connection id", hint: "name the connection to divert to")]
        }
        if value == connection.id.text {
            return [problem(path, "responses cannot be diverted to this connection itself", hint: "name another one")]
        }
        if diverts { return [] }
        return [
            problem(
                path, "'\(divertTo)' has no effect without '\(isSource)'",
                hint: "add specificConfig: {\(isSource): \"true\"}", isWarning: true)
        ]
    }

    private static func responseTypes(_ value: String, _ path: String) -> [Problem] {
        let known = ReplyTarget.ResponseType.allCases.map(\.rawValue)
        return words(value).filter { !known.contains($0.lowercased()) }.map {
            problem(path, "'\($0)' is not a response type", hint: "known: \(known.joined(separator: ", "))")
        }
    }

    private static func words(_ list: String) -> [String] {
        list.split(separator: ",").map { String($0.trimmed) }.filter { !$0.isEmpty }
    }

    private static func isID(_ text: String) -> Bool {
        // The reason is always the same.
        (try? ConnectionID(text)) != nil
    }

    private static func problem(
        _ path: String, _ message: String, hint: String, isWarning: Bool = false,
        wire: WireError = .configurationInvalid
    ) -> Problem {
        Problem(
            binding: BindingProblem(path: path, message: message, hint: hint, isWarning: isWarning), wire: wire)
    }
}
