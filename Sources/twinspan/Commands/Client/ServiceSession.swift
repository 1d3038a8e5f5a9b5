// Asks a service, and says what is wrong and what to do when it does not answer as it should.
import ArgumentParser
import TwinspanConnections
import TwinspanJSON

/// A service with a login.
struct ServiceSession {
    let client: PlainHTTPClient
    let user: String
    /// Where the password was looked for.
    let passwordPlace: String

    private var address: String {
        "http://\(client.host.contains(":") ? "[\(client.host)]" : client.host):\(client.port)\(client.basePath)"
    }

    /// The JSON that a path gives. Ends the process with a message when it does not.
    func object(_ path: String, connection: String? = nil) throws -> JSONObject {
        let answer: PlainHTTPClient.Answer
        do throws(PlainHTTPClient.Failure) {
            answer = try client.fetch("GET", path)
        } catch {
            throw unreachable(error)
        }
        guard answer.status == 200 else { throw refused(answer, connection: connection) }
        // What is no JSON is told below.
        guard let object = (try? JSONValue.parse(answer.body))?.object else {
            throw ServiceTrouble(
                what: "the answer of \(address)\(path) is not the JSON of a twinspan",
                hint: "check that --url names a twinspan of this version (\(Version.text))")
        }
        return object
    }

    /// Sends a request without a body, and gives the JSON of its answer, if there is any. Ends the process with a
    /// message when it is refused.
    @discardableResult
    func send(_ method: String, _ path: String) throws -> JSONObject? {
        let answer: PlainHTTPClient.Answer
        do throws(PlainHTTPClient.Failure) {
            answer = try client.fetch(method, path)
        } catch {
            throw unreachable(error)
        }
        guard (200..<300).contains(answer.status) else { throw refused(answer, connection: nil) }
        // An answer without a body has no JSON.
        return (try? JSONValue.parse(answer.body))?.object
    }

    /// Hands lines on as they come, until the end of the answer or an interrupt.
    func lines(_ path: String, connection: String, interrupt: Interrupt, _ use: ([UInt8]) -> Void) throws {
        var rest: [UInt8] = []
        let refusal: PlainHTTPClient.Answer?
        do throws(PlainHTTPClient.Failure) {
            refusal = try client.stream(path, isInterrupted: { interrupt.isRequested }) { bytes in
                rest += bytes
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    if end > 0 { use(Array(rest[..<end])) }
                    rest.removeSubrange(...end)
                }
            }
        } catch {
            throw unreachable(error)
        }
        if let refusal { throw refused(refusal, connection: connection) }
    }

    // MARK: What went wrong

    func unreachable(_ failure: PlainHTTPClient.Failure) -> ServiceTrouble {
        switch failure {
        case .unknownHost:
            ServiceTrouble(what: "there is no host '\(client.host)'", hint: "check --url")
        case .notReached(let text):
            ServiceTrouble(
                what: "no twinspan answers at \(address): \(text)",
                hint: "start it with `twinspan serve`, or name its address with --url")
        case .silent:
            ServiceTrouble(
                what: "\(address) takes connections but does not answer",
                hint: "check that --url names a twinspan, and what its log says")
        case .broken(let text):
            ServiceTrouble(
                what: "\(address) broke off: \(text)", hint: "check that --url names a twinspan, and its log")
        }
    }

    private func refused(_ answer: PlainHTTPClient.Answer, connection: String?) -> ServiceTrouble {
        // What is no JSON is shown as it is.
        let error = (try? JSONValue.parse(answer.body))?.object
        switch answer.status {
        case 401 where client.password == nil:
            return ServiceTrouble(
                what: "\(address) wants the password of '\(user)', and there is none",
                hint: "set \(ServiceOptions.passwordVariable), or name the data directory with --data"
                    + " (looked for \(passwordPlace))")
        case 401:
            return ServiceTrouble(
                what: "\(address) did not let '\(user)' in with the password of \(passwordPlace)",
                hint: "check --user and the password")
        case 403:
            return ServiceTrouble(
                what: "'\(user)' may not do this at \(address)", hint: "use the user 'devops': --user devops")
        case 404 where connection != nil:
            return unknownConnection(connection ?? "")
        case 404 where error?["error"]?.string == "gateway:deadletter.notfound":
            return ServiceTrouble(
                what: "there is no such dead letter at \(address)", hint: "see `twinspan deadletters ls`")
        case 404 where ["things:thing.notfound", "policies:policy.notfound"].contains(error?["error"]?.string):
            return told(error, "it is not there")
        case 400 where error?["error"]?.string == "gateway:parameter.invalid": return told(error, "it was refused")
        case 404:
            return ServiceTrouble(
                what: "\(address) does not know what was asked",
                hint: "check that --url names a twinspan of this version (\(Version.text))")
        default:
            let text = error?["message"]?.string ?? String(answer.text.prefix(200))
            return ServiceTrouble(
                what: "\(address) answered \(answer.status): \(text)",
                hint: error?["description"]?.string ?? "see the log of the service")
        }
    }

    /// What the service says itself, in its two sentences.
    private func told(_ error: JSONObject?, _ otherwise: String) -> ServiceTrouble {
        let message = error?["message"]?.string ?? otherwise
        return ServiceTrouble(
            what: message.hasSuffix(".") ? String(message.dropLast()) : message,
            hint: error?["description"]?.string ?? "see the log of the service")
    }

    private func unknownConnection(_ id: String) -> ServiceTrouble {
        let answer = client.request("GET", "/devops/twinspan/status")
        // Without the list there is no nearest name.
        let list = answer.flatMap { try? JSONValue.parse($0.body) }?.object?["connections"]?.array
        let ids = (list ?? []).compactMap { $0.object?["id"]?.string }
        let hint =
            if let nearest = NearestName.find(id, among: ids) {
                "did you mean '\(nearest)'?"
            } else if ids.isEmpty {
                "it has no connections; see `twinspan lint`"
            } else {
                "it has \(ids.prefix(8).joined(separator: ", "))\(ids.count > 8 ? ", …" : "")"
            }
        return ServiceTrouble(what: "there is no connection '\(id)' at \(address)", hint: hint)
    }
}

/// Why a tool ends with 1: what happened, and what to do.
struct ServiceTrouble: Error, CustomStringConvertible {
    let what: String
    let hint: String
    var description: String { "\(what).\n  → \(hint)\n" }

    /// Runs a command; what goes wrong is written to stderr, and the exit code is 1.
    static func reported(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let trouble as ServiceTrouble {
            StandardError.write(trouble.description)
            throw ExitCode(1)
        }
    }
}
