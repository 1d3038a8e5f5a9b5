// What the lint says about an http-push connection (spec/connectivity-bindings.md §5.1, §8.2). All problems at once,
// each with its place in the connection as a JSON pointer, so that the lint can name file, line and column.
public import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanNetwork

extension HTTPPushFields {
    /// All problems of a connection, in the order of its fields.
    public static func diagnose(_ connection: Connection) -> [BindingProblem] {
        var problems = diagnoseURI(connection.uri)
        if !connection.sources.isEmpty {
            problems.append(
                BindingProblem(
                    path: "/sources", message: "A connection of type 'http-push' may not have any source.",
                    hint: "remove them; a web service sends to the HTTP API"))
        }
        for (index, target) in connection.targets.enumerated() {
            problems += diagnose(target, path: "/targets/\(index)")
        }
        return problems + diagnoseSettings(connection.specificConfig)
            + diagnoseCredentials(connection.credentials ?? JSONObject(), connection.uri)
    }

    private static func diagnoseURI(_ uri: ConnectionURI) -> [BindingProblem] {
        guard uri.scheme != secureScheme, uri.scheme != plainScheme else { return [] }
        return [
            BindingProblem(
                path: "/uri", message: "The scheme '\(uri.scheme)' is not one of HTTP.",
                hint: "use https://host:port, or http://host:port without TLS")
        ]
    }

    private static func diagnose(_ target: Target, path: String) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        let text = target.address.text
        let method = text.prefix { $0 != ":" }
        if method.count == text.count || !methods.contains(String(method)) && !method.contains("{") {
            let meant = methods.contains(method.uppercased()) ? "write \(method.uppercased()) in capitals" : nil
            problems.append(
                BindingProblem(
                    path: "\(path)/address", message: "The address '\(text)' is not of the form METHOD:path.",
                    hint: meant ?? "write e.g. POST:/events; the methods are \(methods.joined(separator: ", "))"))
        }
        for mapping in target.headerMapping {
            let place = "\(path)/headerMapping/\(pointerToken(mapping.name))"
            if HTTPHeaderRules.ownNames.contains(mapping.name) {
                problems.append(
                    BindingProblem(
                        path: place, message: "The header '\(mapping.name)' is set by HTTP itself and not sent.",
                        hint: "remove it", isWarning: true))
            } else if !HTTPHeaderRules.isName(mapping.name) {
                problems.append(
                    BindingProblem(
                        path: place, message: "'\(mapping.name)' cannot be the name of an HTTP header.",
                        hint: "use letters, digits and '-'"))
            }
        }
        return problems
    }

    private static func diagnoseSettings(_ settings: [String: String]) -> [BindingProblem] {
        var problems: [BindingProblem] = []
        func check(_ key: Key, isWarning: Bool = false, _ problem: (String) -> (text: String, hint: String)?) {
            guard let value = settings[key.rawValue], let found = problem(value) else { return }
            problems.append(
                BindingProblem(
                    path: "/specificConfig/\(key.rawValue)", message: found.text, hint: found.hint,
                    isWarning: isWarning))
        }
        check(.parallelism) { value in
            parallelism(value) == nil
                ? ("The parallelism '\(value)' is not a number above 0.", "use 1 to keep the order of messages") : nil
        }
        check(.parallelism, isWarning: true) { value in
            guard let number = Int(value), let used = parallelism(value), number != used else { return nil }
            return ("The parallelism \(number) means \(used).", "use a power of two, at most \(maximumParallelism)")
        }
        check(.idleTimeout) { value in
            timeout(value) == nil ? ("The idle timeout '\(value)' is not valid.", "use a duration from 1s to 60s") : nil
        }
        check(.omitRequestBody) { value in
            guard let word = words(value).first(where: { !knownMethods.contains($0) }) else { return nil }
            return ("'\(word)' is not a method of HTTP.", "write e.g. GET,DELETE")
        }
        return problems
    }

    private static func diagnoseCredentials(_ credentials: JSONObject, _ uri: ConnectionURI) -> [BindingProblem] {
        switch credentials["type"]?.string {
        case "hmac":
            guard let algorithm = credentials["algorithm"]?.string,
                let parameters = credentials["parameters"]?.object
            else { return [] }
            do throws(SigningFailure) {
                _ = try RequestSigner(algorithm: algorithm, parameters: parameters)
            } catch {
                return [problem(of: error)].compactMap { $0 }
            }
        case "client-cert" where uri.scheme == plainScheme:
            return [
                BindingProblem(
                    path: "/credentials", message: "A client certificate has no effect without TLS.",
                    hint: "use https:// in 'uri'", isWarning: true)
            ]
        default: break
        }
        return []
    }

    private static func problem(of failure: SigningFailure) -> BindingProblem? {
        switch failure {
        // Reported by whoever reads the credentials.
        case .unknownAlgorithm, .digestUnavailable: nil
        case .missing(let name), .invalid(let name, _):
            BindingProblem(
                path: "/credentials/parameters/\(pointerToken(name))", message: failure.message,
                hint: "see the parameters of the algorithm")
        // As in Ditto, this is found out when a message is sent, so the definition is taken.
        case .keyNotBase64(let name):
            BindingProblem(
                path: "/credentials/parameters/\(pointerToken(name))", message: failure.message,
                hint: "no message can be sent until it is; copy the key from the portal", isWarning: true)
        }
    }

    private static let knownMethods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ]

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
