// What an end of a connection or a link means and which reaction it calls for. The reason words are stable; metrics and
// status are built on them.
import TwinspanConnections
import TwinspanNetwork

/// Classifies failures of AMQP 1.0 sessions.
enum AMQP10Failure {
    /// What the session was doing, for words.
    struct Situation {
        var step: SessionStep
        var peer: String
        var user: String?
        var mechanism: String
    }

    /// The connection is over.
    static func ended(_ end: ProtonConnection.End, _ situation: Situation) -> BrokerFailure {
        switch end {
        case .system(let number):
            return lost(situation, systemErrorText(number))
        case .closed(nil):
            return lost(situation, nil)
        case .insecure(let text):
            return BrokerFailure(
                step: situation.step, reaction: .backOff, reason: "tls",
                message: "The TLS connection to \(situation.peer) broke (\(text)).", hint: "look into the broker's log")
        case .closed(let condition?), .broken(let condition):
            return conditional(condition, situation)
        }
    }

    private static func conditional(_ condition: ProtonCondition, _ situation: Situation) -> BrokerFailure {
        let words = quoted(condition)
        switch condition.name {
        case "amqp:unauthorized-access": return unauthorized(condition, situation)
        case "amqp:connection:framing-error": return framing(condition, situation)
        case "amqp:resource-limit-exceeded" where condition.text.contains("idle-timeout"):
            return BrokerFailure(
                step: situation.step, reaction: .retryNow, reason: "keep-alive",
                message: "\(situation.peer) was silent for longer than the idle timeout.",
                hint: "check the network to the broker")
        case "amqp:connection:redirect", "amqp:not-found", "amqp:not-allowed", "amqp:not-implemented",
            "amqp:invalid-field":
            let isRedirect = condition.name == "amqp:connection:redirect"
            return BrokerFailure(
                step: situation.step, reaction: .misconfigured, reason: isRedirect ? "redirected" : "connect-refused",
                message: "\(situation.peer) refused the connection: \(words).",
                hint: isRedirect
                    ? "put the host it names into 'uri': redirects are not followed"
                    : "check the virtual host (specificConfig 'amqp.vhost') and the client's id ('jms.clientID')")
        case "amqp:connection:forced":
            return BrokerFailure(
                step: situation.step, reaction: situation.step == .serve ? .retryNow : .backOff,
                reason: "connection-lost", message: "\(situation.peer) closed the connection: \(words).",
                hint: "if it happens again, look into the broker's log")
        default:
            return BrokerFailure(
                step: situation.step, reaction: .backOff, reason: "connection-lost",
                message: "\(situation.peer) ended the connection: \(words).", hint: "look into the broker's log")
        }
    }

    private static func unauthorized(_ condition: ProtonCondition, _ situation: Situation) -> BrokerFailure {
        let isOffered = !condition.text.contains("mech=none")
        let isLogin = situation.step == .authenticate || situation.step == .tls
        if isLogin, condition.text.hasPrefix("Authentication failed") {
            guard isOffered else {
                return BrokerFailure(
                    step: .authenticate, reaction: .misconfigured, reason: "not-authorised",
                    message: "\(situation.peer) does not offer \(situation.mechanism) to log in.",
                    hint: situation.mechanism == "ANONYMOUS"
                        ? "put user and password into 'uri'" : "check which mechanisms the broker has switched on")
            }
            return BrokerFailure(
                step: .authenticate, reaction: .misconfigured, reason: "bad-credentials",
                message: situation.user.map { "The broker refused the user '\($0)' or the password." }
                    ?? "The broker did not let us in by \(situation.mechanism).",
                hint: situation.mechanism == "EXTERNAL"
                    ? "check that the broker trusts the client certificate and knows its subject"
                    : "check user and password in 'uri'")
        }
        return BrokerFailure(
            step: situation.step, reaction: .misconfigured, reason: "not-authorised",
            message: "\(situation.peer) refused access: \(quoted(condition)).",
            hint: "check the user's rights and the virtual host (specificConfig 'amqp.vhost')")
    }

    /// One name for several things; only the text tells which.
    private static func framing(_ condition: ProtonCondition, _ situation: Situation) -> BrokerFailure {
        if condition.text.contains("protocol header") && !condition.text.contains("connection aborted") {
            return BrokerFailure(
                step: situation.step, reaction: .misconfigured, reason: "protocol",
                message: "\(situation.peer) does not speak AMQP 1.0: \(quoted(condition)).",
                hint: "check the port, whether TLS is expected there (amqps://), and that the broker has AMQP 1.0 "
                    + "switched on (RabbitMQ: the plugin rabbitmq_amqp1_0)")
        }
        if condition.text.contains("connection aborted") { return lost(situation, nil) }
        return BrokerFailure(
            step: situation.step, reaction: .backOff, reason: "protocol",
            message: "The connection to \(situation.peer) broke the protocol: \(quoted(condition)).",
            hint: "look into the broker's log")
    }

    private static func lost(_ situation: Situation, _ text: String?) -> BrokerFailure {
        if situation.step == .tls || situation.step == .authenticate {
            return BrokerFailure(
                step: situation.step, reaction: .backOff, reason: "connection-lost",
                message: "\(situation.peer) closed the connection before it had opened" + parenthesis(text) + ".",
                hint: "look into the broker's log; check whether it expects TLS (amqps://) on this port")
        }
        return BrokerFailure(
            step: situation.step, reaction: .retryNow, reason: "connection-lost",
            message: "The broker closed the connection, or it was lost" + parenthesis(text) + ".",
            hint: "if it happens again, look into the broker's log")
    }

    /// The peer answers our TLS with something else.
    static func noTLS(peer: String) -> BrokerFailure {
        BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: "tls", message: "\(peer) does not speak TLS on this port.",
            hint: "use amqp:// or another port")
    }

    /// The peer let us in by other means than we meant to use: the password may never have been looked at.
    static func otherMechanism(_ used: String?, _ situation: Situation) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: .misconfigured, reason: "not-authorised",
            message: "\(situation.peer) logged us in by \(used ?? "nothing") in place of \(situation.mechanism).",
            hint: "switch \(situation.mechanism) on at the broker")
    }

    /// The peer keeps the connection and answers nothing.
    static func deaf(after limit: Duration) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "connection-lost",
            message: "The broker did not answer within \(limit) whether a queue still exists; the connection was "
                + "dropped.",
            hint: "RabbitMQ 3.10 leaves connections so after one of their queues was deleted")
    }

    /// The peer has ended a link, or its session.
    static func link(
        _ condition: ProtonCondition?, _ address: AMQP10Address, isSource: Bool, source: Int? = nil
    ) -> BrokerFailure {
        let what = isSource ? "source address" : "target address"
        let name = condition?.name ?? ""
        let words = condition.map { quoted($0) } ?? "no reason given"
        var failure = BrokerFailure(
            step: .subscribe, reaction: .backOff, reason: isSource ? "subscription-refused" : "no-sender",
            message: "The broker ended the link of the \(what) '\(address.text)': \(words).",
            hint: "it is tried again; look into the broker's log", sourceIndex: source)
        switch name {
        case "amqp:not-found", "amqp:resource-deleted":
            failure.reaction = .misconfigured
            failure.message = "The broker has no '\(address.text)', which is a \(what): \(words)."
            failure.hint = "make it at the broker, or correct the address"
        case "amqp:unauthorized-access":
            failure.reaction = .misconfigured
            failure.reason = "not-authorised"
            failure.hint = "give the user the right to \(isSource ? "read" : "write")"
        case "amqp:invalid-field", "amqp:precondition-failed", "amqp:not-implemented", "amqp:not-allowed",
            "amqp:link:redirect":
            failure.reaction = .misconfigured
            failure.hint = "check how the broker wants addresses to be written"
        default: break
        }
        return failure
    }

    /// The peer has not answered an attach.
    static func silentLink(
        _ address: AMQP10Address, isSource: Bool, after limit: Duration, source: Int? = nil
    ) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: .backOff, reason: "timeout",
            message: "The broker did not answer within \(limit) for the address '\(address.text)'.",
            hint: "look into the broker's log", sourceIndex: source)
    }

    /// Messages that were given up.
    static func discarded(_ reason: String, _ text: String, source: Int) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: reason, message: text, hint: "look at who sends them",
            sourceIndex: source)
    }

    private static func quoted(_ condition: ProtonCondition) -> String {
        condition.text.isEmpty ? condition.name : "\(condition.text) (\(condition.name))"
    }

    private static func parenthesis(_ text: String?) -> String { text.map { " (\($0))" } ?? "" }
}
