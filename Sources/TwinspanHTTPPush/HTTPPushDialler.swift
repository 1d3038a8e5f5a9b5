// The steps that a session and a probe take before the first request (spec/connectivity-bindings.md §5.4): resolve,
// connect, shake hands where TLS is asked for, and fetch a token where one is needed. Runs on the session's thread
// under one deadline, and a stop cuts it short.
import Glibc
import NIOSSL
import TwinspanConnections
import TwinspanNetwork

/// Opens the way to the server of one connection.
struct HTTPPushDialler {
    let fields: HTTPPushFields
    /// For the whole attempt.
    let timeout: Duration
    let loops: EventLoops
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    var connectTimeout: Duration?

    /// What was found.
    struct Opened {
        let settings: PushClient.Settings
        /// Nil when none is needed.
        let token: AccessToken?
    }

    /// Takes every step. Reports each as it begins.
    func dial(
        control: SessionControl, wake: WakeSignal, observer: any SessionObserver, now: @Sendable () -> Int64
    ) -> NetworkDialler.Outcome<Opened> {
        let deadline = Deadline.after(timeout)
        let network = NetworkDialler(
            fields.endpoint, speaking: "HTTP", timeout: timeout, connectTimeout: connectTimeout)
        let reached: NetworkDialler.Reached
        switch network.probe(until: deadline, control: control, wake: wake, observer: observer) {
        case .reached(let found): reached = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        do throws(BrokerFailure) {
            let settings = try settings(reached)
            if fields.usesTLS {
                observer.began(.tls)
                guard try shakeHands(settings, until: deadline, control, wake) else { return .stopped }
            }
            guard case .token(let oauth) = fields.authentication else {
                return .reached(Opened(settings: settings, token: nil))
            }
            observer.began(.authenticate)
            let fetch = TokenFetch(fields: fields, settings: oauth, timeout: timeout, loops: loops)
            switch fetch.run(control: control, wake: wake) {
            case .reached(let token):
                guard token.isFresh(at: now()) else {
                    throw HTTPPushFailure.invalidToken(oauth.endpoint.text, detail: "the token has expired already")
                }
                return .reached(Opened(settings: settings, token: token))
            case .stopped: return .stopped
            case .failed(let failure): throw failure
            }
        } catch {
            return .failed(error)
        }
    }

    private func settings(_ reached: NetworkDialler.Reached) throws(BrokerFailure) -> PushClient.Settings {
        PushClient.Settings(
            endpoint: HTTPEndpoint(isSecure: fields.usesTLS, host: fields.host, port: fields.port, target: "/"),
            reached: reached, tls: fields.usesTLS ? try fields.tlsConfiguration() : nil,
            connections: fields.parallelism, connectTimeout: connectTimeout ?? timeout,
            idleTimeout: fields.idleTimeout)
    }

    /// False when a stop was asked for.
    private func shakeHands(
        _ settings: PushClient.Settings, until deadline: Deadline, _ control: SessionControl, _ wake: WakeSignal
    ) throws(BrokerFailure) -> Bool {
        let group = loops.borrow()
        defer { loops.giveBack() }
        let arrival = Arrival<(any Error)?>(wake: wake)
        TLSHandshake(settings: settings).run(on: group) { arrival.arrive($0) }
        switch arrival.wait(until: deadline, control: control) {
        case .arrived(nil): return true
        case .arrived(let error?):
            guard HTTPPushFailure.isTLS(error) else {
                throw HTTPPushFailure.connect(error, peer: fields.peer, limit: timeout)
            }
            let failure = NetworkFailure.tls(peer: fields.peer, text: HTTPPushFailure.words(error))
            throw explained(failure, settings.reached.address, until: deadline, control, wake)
        case .stopped: return false
        case .timedOut:
            throw NetworkFailure.timeout(at: .tls, peer: fields.peer, after: timeout, speaking: "HTTP")
        }
    }

    /// Finds out what is wrong with the certificate, which the TLS layer does not say well.
    private func explained(
        _ failure: BrokerFailure, _ address: HostAddress, until deadline: Deadline, _ control: SessionControl,
        _ wake: WakeSignal
    ) -> BrokerFailure {
        guard fields.validatesCertificates else { return failure }
        let (host, authorities) = (fields.host, fields.trustedCertificates)
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) {
            TLSInspection(
                host: host, address: address, trustedCertificates: authorities, patience: .seconds(2)
            ).run()
        }
        guard case .finished(let finding?) = call else { return failure }
        return NetworkFailure.certificate(finding, host: fields.host, hasAuthority: fields.trustedCertificates != nil)
    }
}
