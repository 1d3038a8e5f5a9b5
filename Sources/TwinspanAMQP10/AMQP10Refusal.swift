// What is said of a message that was not published. "dropped" stands in the texts that clients look for
// (spec/connectivity-bindings.md, literal texts).
import TwinspanConnections

extension PublishRefusal {
    /// Its address has no link.
    static func noSender(_ sender: AMQP10Sender) -> PublishRefusal {
        PublishRefusal(
            reason: "no-sender",
            detail: "No producer available for '\(sender.address.text)': the message was dropped. "
                + (sender.failure?.message ?? "The link was lost."))
    }

    /// The broker gives no credit.
    static func noCredit(_ address: AMQP10Address, after limit: Duration) -> PublishRefusal {
        PublishRefusal(
            reason: "no-credit",
            detail: "The message was dropped because there were too few credits for '\(address.text)' for \(limit).")
    }

    /// Others have waited longer for the same address.
    static func tooMany(_ address: AMQP10Address) -> PublishRefusal {
        PublishRefusal(
            reason: "no-credit",
            detail: "The message was dropped because too many unsettled messages wait, with too few credits, for "
                + "'\(address.text)'.")
    }

    /// The broker will never take it.
    static func rejected(_ condition: ProtonCondition?, _ address: AMQP10Address) -> PublishRefusal {
        let words = condition.map { $0.text.isEmpty ? $0.name : "\($0.text) (\($0.name))" } ?? "no reason given"
        return PublishRefusal(
            reason: "rejected", detail: "The broker rejected the message to '\(address.text)': \(words).", status: 400)
    }

    /// The broker has given it back for as long as it was tried.
    static func returned(_ outcome: String, _ address: AMQP10Address) -> PublishRefusal {
        PublishRefusal(
            reason: "released",
            detail: "The broker did not take the message to '\(address.text)' (\(outcome)): it was dropped.")
    }

    /// The broker has not said what became of it.
    static func unconfirmed(_ address: AMQP10Address, after limit: Duration) -> PublishRefusal {
        PublishRefusal(
            reason: "timeout",
            detail: "The broker did not confirm the message to '\(address.text)' within \(limit).", status: 408)
    }

    /// The broker has said how large messages may be.
    static func tooLarge(_ size: Int, _ limit: UInt64, _ address: AMQP10Address) -> PublishRefusal {
        PublishRefusal(
            reason: "too-large",
            detail: "The message to '\(address.text)' has \(size) bytes; the broker takes \(limit).", status: 400)
    }
}
