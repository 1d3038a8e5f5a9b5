// Fetches a token (spec/connectivity-bindings.md §8.1). Tokens last for an hour or so, so each fetch has a client of
// its own and leaves no connection behind.
import TwinspanConnections
import TwinspanNetwork

/// One request to a token endpoint.
struct TokenFetch {
    let fields: HTTPPushFields
    let settings: OAuthSettings
    let timeout: Duration
    let loops: EventLoops

    /// An answer of a token endpoint has a few kilobytes.
    private static let bodyLimit = 64 << 10

    /// Blocks the session's thread; a stop cuts it short.
    func run(control: SessionControl, wake: WakeSignal) -> NetworkDialler.Outcome<AccessToken> {
        let deadline = Deadline.after(timeout)
        let endpoint = settings.endpoint
        // The token endpoint's steps are part of one step of the session, so nobody is told of them.
        let network = NetworkDialler(settings.place, speaking: "HTTP", timeout: timeout)
        let reached: NetworkDialler.Reached
        switch network.probe(until: deadline, control: control, wake: wake, observer: Unobserved()) {
        case .reached(let found): reached = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failed(failure.message))
        }
        do throws(BrokerFailure) {
            let tls = endpoint.isSecure ? try fields.tokenTLSConfiguration() : nil
            let client = PushClient(
                PushClient.Settings(
                    endpoint: endpoint, reached: reached, tls: tls, connections: 1, connectTimeout: timeout,
                    idleTimeout: .seconds(1)), loops: loops)
            defer { client.close {} }
            return try ask(client, until: deadline, control, wake)
        } catch {
            return .failed(error)
        }
    }

    private func ask(
        _ client: PushClient, until deadline: Deadline, _ control: SessionControl, _ wake: WakeSignal
    ) throws(BrokerFailure) -> NetworkDialler.Outcome<AccessToken> {
        let request = PushRequest(
            method: "POST", target: settings.endpoint.target,
            headers: [
                ("host", settings.endpoint.hostHeader), ("accept", "application/json"),
                ("content-type", "application/x-www-form-urlencoded"),
            ], body: Array(settings.form.exposed.utf8))
        let arrival = Arrival<ExchangeEnd>(wake: wake)
        let exchange: Exchange
        do {
            exchange = try client.send(request, bodyLimit: TokenFetch.bodyLimit, bodyTimeout: timeout) {
                arrival.arrive($0)
            }
        } catch {
            throw failed(HTTPPushFailure.words(error))
        }
        switch arrival.wait(until: deadline, control: control) {
        case .arrived(.answered(let answer)):
            if let problem = answer.bodyProblem {
                throw HTTPPushFailure.invalidToken(settings.endpoint.text, detail: problem)
            }
            return .reached(try settings.token(in: answer))
        case .arrived(.failed(let failure)): throw failed(HTTPPushFailure.words(failure.error))
        case .timedOut:
            exchange.cancel()
            throw failed("no answer came within \(timeout)")
        case .stopped:
            exchange.cancel()
            return .stopped
        }
    }

    private func failed(_ detail: String) -> BrokerFailure {
        let clause = detail.hasSuffix(".") ? String(detail.dropLast()) : detail
        return HTTPPushFailure.tokenRequestFailed(settings.endpoint.text, detail: clause, isRefusal: false)
    }
}

/// Hears nothing.
private final class Unobserved: SessionObserver {
    func began(_ step: SessionStep) {}
    func opened() {}
    func warned(_ failure: BrokerFailure) {}
}
