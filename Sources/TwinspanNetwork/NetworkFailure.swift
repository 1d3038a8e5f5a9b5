// What can go wrong on the way to a host, before any broker has said a word: the same for every adapter. The reason
// words are stable; metrics and status are built on them.
import Glibc
public import TwinspanConnections

/// Classifies failures of resolving, connecting and shaking hands.
public enum NetworkFailure {
    /// The host name has no address.
    public static func unresolved(host: String, failure: HostAddress.ResolutionFailure) -> BrokerFailure {
        BrokerFailure(
            step: .resolve, reaction: .backOff, reason: "unresolved",
            message: "The host name '\(host)' could not be resolved: \(failure.text).",
            hint: failure.isTemporary
                ? "check that the name server can be reached" : "check the host in 'uri'")
    }

    /// A step did not end before the deadline of the whole attempt.
    ///
    /// - Parameter speaking: what is expected of the peer, e.g. `MQTT`.
    public static func timeout(
        at step: SessionStep, peer: String, after limit: Duration, speaking protocolName: String
    ) -> BrokerFailure {
        let what: String
        var hint = "check that the broker is running, and that no firewall drops the packets"
        switch step {
        case .resolve: (what, hint) = ("No name server answered for '\(peer)'", "check the machine's name servers")
        case .connect: what = "\(peer) did not accept a connection"
        case .tls:
            what = "\(peer) did not finish the TLS handshake"
            hint = "check that TLS is expected on this port"
        case .authenticate:
            what = "\(peer) accepted the connection but did not answer in \(protocolName)"
            hint = "check that \(protocolName) is spoken there, and whether TLS is expected on this port"
        case .subscribe:
            what = "\(peer) did not answer the subscriptions"
            hint = "look into the broker's log"
        case .serve: what = "\(peer) did not answer"
        }
        return BrokerFailure(
            step: step, reaction: .backOff, reason: "timeout", message: "\(what) within \(limit).", hint: hint)
    }

    /// No address of the host accepted a connection.
    public static func unreachable(peer: String, errorNumber: Int32) -> BrokerFailure {
        let isRefused = errorNumber == ECONNREFUSED
        return BrokerFailure(
            step: .connect, reaction: .backOff, reason: isRefused ? "refused" : "unreachable",
            message: "\(peer) cannot be connected to: \(systemErrorText(errorNumber)).",
            hint: isRefused
                ? "check that the broker is running and listens on this port" : "check host, port and network")
    }

    /// The TLS handshake failed; only the library's log says why.
    public static func tls(peer: String, text: String?) -> BrokerFailure {
        BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: "tls",
            message: "The TLS handshake with \(peer) failed" + quoted(text) + ".",
            hint: "check 'ca', the host name in the server's certificate, and that this port expects TLS; "
                + "'twinspan check' tells which")
    }

    /// What is wrong with the server's certificate.
    public static func certificate(_ finding: TLSInspection.Finding, host: String, hasAuthority: Bool) -> BrokerFailure
    {
        func failure(_ reason: String, _ message: String, _ hint: String) -> BrokerFailure {
            BrokerFailure(step: .tls, reaction: .misconfigured, reason: reason, message: message, hint: hint)
        }
        switch finding {
        case .untrusted(let detail):
            return failure(
                "certificate-untrusted", "The certificate of '\(host)' comes from an unknown authority (\(detail)).",
                hasAuthority
                    ? "put the authority that signed the broker's certificate into 'ca'"
                    : "the system does not know its authority: put its certificate into 'ca'")
        case .expired(let time):
            return failure(
                "certificate-expired", "The certificate of '\(host)' has expired (\(time)).",
                "give the broker a new certificate, or check the clock of this machine")
        case .notYetValid(let time):
            return failure(
                "certificate-not-yet-valid", "The certificate of '\(host)' is valid from \(time) only.",
                "check the clock of this machine, and the broker's certificate")
        case .otherName(let names):
            let owners = names.isEmpty ? "nobody" : names.prefix(5).map { "'\($0.prefix(80))'" }.joined(separator: ", ")
            return failure(
                "certificate-host", "The certificate is for \(owners), not '\(host)'.",
                "use the name in the certificate as host in 'uri', or give the server a certificate for this name")
        case .revoked:
            return failure(
                "certificate-revoked", "The certificate of '\(host)' has been revoked.",
                "give the server a new certificate")
        }
    }

    /// The TLS handshake failed, and the context it was made with may know why.
    ///
    /// - Parameter text: the library's own words.
    public static func tls(peer: String, text: String?, context: TLSContext) -> BrokerFailure {
        let settings = context.settings
        if let problem = context.problem {
            var failure = certificate(
                problem.finding, host: settings.serverName, hasAuthority: settings.trustedCertificates != nil)
            if problem.depth > 0 {
                failure.message += " It is about '\(problem.subject)' in its chain (\(problem.depth) above)."
            }
            return failure
        }
        let words: String
        if let alert = context.alert {
            guard alert.concernsClientCertificate else { return tls(peer: peer, text: alert.text) }
            words = alert.text
        } else if context.isAskedForCertificate {
            // A server that closes right behind its alert can reset the connection before the alert is read.
            words = "it ended the connection after it had asked for one"
        } else {
            return tls(peer: peer, text: text)
        }
        let isPresent = settings.clientCertificate != nil
        return BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: "certificate-client",
            message: isPresent
                ? "\(peer) refused the client's certificate (\(words))."
                : "\(peer) asks for a client certificate (\(words)).",
            hint: isPresent
                ? "check 'credentials': whether the broker trusts who signed 'cert', and when it expires"
                : "add credentials: {type: client-cert, cert: …, key: …}")
    }

    /// The configuration forbids the host (spec/connectivity.md §9.2).
    public static func blocked(_ problem: String) -> BrokerFailure {
        BrokerFailure(
            step: .resolve, reaction: .misconfigured, reason: blockedReason, message: problem + ".",
            hint: "see 'blockedHosts' in twinspan.yaml")
    }

    static let blockedReason = "blocked-host"

    /// The process has no descriptors or threads left.
    public static let exhausted = BrokerFailure(
        step: .connect, reaction: .backOff, reason: "exhausted",
        message: "The process has no file descriptor or thread left for the connection.",
        hint: "raise the limits of open files and threads")

    private static func quoted(_ text: String?) -> String { text.map { " (\($0))" } ?? "" }
}
