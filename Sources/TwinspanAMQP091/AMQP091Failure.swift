// What an end of a connection means and which reaction it calls for: one table for everything librabbitmq and the
// broker can say. The reason words are stable; metrics and status are built on them.
import TwinspanConnections
import TwinspanNetwork
import TwinspanProtocol

/// Classifies failures of AMQP 0.9.1 sessions.
enum AMQP091Failure {
    /// The login did not succeed.
    static func login(_ end: RabbitMQConnection.LoginEnd, fields: AMQP091Fields, peer: String) -> BrokerFailure? {
        let status: RabbitMQStatus
        switch end {
        case .accepted: return nil
        case .closed(let code, let text): return refused(code: code, text: text, fields: fields)
        case .failed(let failed) where failed.isTLS: return NetworkFailure.tls(peer: peer, text: nil)
        case .failed(let failed): status = failed
        }
        var failure = lost(status, step: .authenticate)
        switch status {
        case .connectionClosed, .socketError, .socketClosed, .badData, .incompatibleVersion, .unexpectedState:
            failure.reaction = .backOff
            failure.message = "\(peer) did not answer in AMQP 0.9.1: \(status.phrase)."
            failure.hint = "check that RabbitMQ listens there, and whether TLS (amqps://) is expected on this port"
        case .unsupportedMechanism:
            failure.reaction = .misconfigured
            failure.reason = "bad-credentials"
        default: break
        }
        return failure
    }

    /// The broker has closed the connection during the login, and said why.
    private static func refused(code: Int, text: String, fields: AMQP091Fields) -> BrokerFailure {
        func failure(_ reason: String, _ message: String, _ hint: String) -> BrokerFailure {
            BrokerFailure(
                step: .authenticate, reaction: .misconfigured, reason: reason, message: message, hint: hint)
        }
        switch code {
        case 403:
            let who = fields.isGuest ? "the user 'guest', as 'uri' names none" : "user name or password"
            return failure(
                "bad-credentials", "The broker refused \(who).", "check user and password in 'uri'")
        case 530:
            return failure(
                "not-authorised",
                "The broker does not let '\(fields.user)' into the virtual host '\(fields.vhost)' "
                    + "(\(text)).", "check the path of 'uri', and the permissions of this user")
        default: return closed(code: code, text: text, step: .authenticate)
        }
    }

    /// The broker has closed the connection, and said why.
    static func closed(code: Int, text: String, step: SessionStep) -> BrokerFailure {
        switch code {
        case 320, 541:
            return BrokerFailure(
                step: step, reaction: .backOff, reason: "connection-lost",
                message: "The broker closed the connection (\(code) \(text)).",
                hint: "it is being stopped, or somebody has closed the connection there")
        default:
            return BrokerFailure(
                step: step, reaction: .misconfigured, reason: code == 403 ? "not-authorised" : "protocol",
                message: "The broker closed the connection (\(code) \(text)).", hint: "look into the broker's log")
        }
    }

    /// The connection ended during `step`.
    static func lost(_ status: RabbitMQStatus, step: SessionStep) -> BrokerFailure {
        switch status {
        case .heartbeatTimeout:
            return BrokerFailure(
                step: step, reaction: .retryNow, reason: "keep-alive",
                message: "The broker did not answer within two heartbeats.", hint: "check the network to the broker")
        case .timeout:
            return BrokerFailure(
                step: step, reaction: step == .serve ? .retryNow : .backOff, reason: "timeout",
                message: "The broker did not answer in time.", hint: "look into the broker's log")
        case .outOfMemory:
            return BrokerFailure(
                step: step, reaction: .fatal, reason: "library",
                message: "librabbitmq cannot go on: no memory is left.",
                hint: "give the process more memory")
        case .badData, .unexpectedState:
            return BrokerFailure(
                step: step, reaction: .retryNow, reason: "protocol",
                message: "The connection was dropped because \(status.phrase).",
                hint: "check that RabbitMQ listens there")
        default:
            return BrokerFailure(
                step: step, reaction: .retryNow, reason: "connection-lost",
                message: "The broker closed the connection, or it was lost (\(status.phrase)).",
                hint: "if it happens again, look into the broker's log")
        }
    }

    /// The queues a connection is to read do not exist (spec/connectivity-bindings.md §2).
    static func missingQueues(_ queues: [String], source: Int) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: .misconfigured, reason: "subscription-refused",
            message: "The queues [\(queues.joined(separator: ", "))] to connect to are missing.",
            hint: "declare them at the broker; they are never made by a connection", sourceIndex: source)
    }

    /// The broker refused to let a queue be read.
    static func queue(_ subscription: AMQP091Fields.Subscription, code: Int, text: String) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: .misconfigured, reason: code == 403 ? "not-authorised" : "subscription-refused",
            message: "The queue '\(subscription.queue)' of source \(subscription.source + 1) cannot be read "
                + "(\(code) \(text)).", hint: "check the queue, and the permissions of this user",
            sourceIndex: subscription.source)
    }

    /// A queue that was read is gone.
    static func queueGone(_ subscription: AMQP091Fields.Subscription) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .misconfigured, reason: "subscription-refused",
            message: "The queue '\(subscription.queue)' was deleted, or its node is away.",
            hint: "declare it again: it is then read again by itself", sourceIndex: subscription.source)
    }

    /// The broker has closed the channel of the messages.
    static func channelClosed(code: Int, text: String) -> BrokerFailure {
        let isConfiguration = code == 403 || code == 404 || code == 405
        return BrokerFailure(
            step: .serve, reaction: isConfiguration ? .misconfigured : .retryNow,
            reason: code == 403 ? "not-authorised" : isConfiguration ? "subscription-refused" : "channel-closed",
            message: "The broker closed the channel (\(code) \(text)).", hint: "look into the broker's log")
    }

    /// An exchange that is sent to does not exist, or may not be used.
    static func exchange(_ exchange: String, code: Int, text: String, at time: Timestamp) -> BrokerFailure {
        if code == 404 {
            return BrokerFailure(
                step: .serve, reaction: .misconfigured, reason: "exchange-missing",
                message: "Exchange '\(exchange)' was missing at \(time.iso8601)",
                hint: "declare it at the broker; it is then used again by itself")
        }
        return BrokerFailure(
            step: .serve, reaction: .misconfigured, reason: code == 403 ? "not-authorised" : "exchange-refused",
            message: "The broker does not take messages for the exchange '\(exchange)' (\(code) \(text)).",
            hint: "check the permissions of this user")
    }

    /// The broker takes no messages for now.
    static func blocked(_ reason: String) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "blocked",
            message: "The broker takes no messages at present (\(reason)); they wait.",
            hint: "see the broker's memory and disk space")
    }

    /// The broker owes the confirmation of a message for too long.
    static func unconfirmed(after limit: Duration) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "timeout",
            message: "The broker did not confirm a message within \(limit).", hint: "look into the broker's log")
    }
}
