// Addresses of links. Ditto writes the kind of a target before its name, `queue://` or `topic://`, as JMS clients do;
// the broker gets the bare name, and the kind as a capability (spec/connectivity-bindings.md §3).

/// An address as a link asks for it.
struct AMQP10Address: Hashable, Sendable {
    /// What the broker is asked for.
    var name: String
    /// `queue` or `topic` where the kind was written.
    var capability: String?
    /// As it was written.
    var text: String

    init(_ text: String) {
        self.text = text
        switch text {
        case _ where text.hasPrefix("queue://"): (name, capability) = (String(text.dropFirst(8)), "queue")
        case _ where text.hasPrefix("topic://"): (name, capability) = (String(text.dropFirst(8)), "topic")
        default: (name, capability) = (text, nil)
        }
    }

    /// The most bytes of a name.
    static let maximumLength = 4096

    /// Why no link can have this address, as a phrase; nil if one can.
    var problem: String? {
        if name.isEmpty { return "it is empty" }
        if name.utf8.contains(0) { return "it contains the character U+0000" }
        return name.utf8.count > AMQP10Address.maximumLength
            ? "it is longer than \(AMQP10Address.maximumLength) bytes" : nil
    }

    /// RabbitMQ makes the queue behind `/queue/NAME`, durable if it is asked to. Elsewhere durability of an address
    /// means a subscription that outlives the link, which nobody has asked for.
    var prefersDurable: Bool { name.hasPrefix("/queue/") }

    /// Where RabbitMQ says whether a queue still exists; nil for addresses that are no queue.
    var rabbitMQQueue: AMQP10Address? {
        if name.hasPrefix("/amq/queue/") { return self }
        if name.hasPrefix("/queue/") { return AMQP10Address("/amq/queue/" + name.dropFirst(7)) }
        return name.hasPrefix("/") ? nil : AMQP10Address("/amq/queue/" + name)
    }
}
