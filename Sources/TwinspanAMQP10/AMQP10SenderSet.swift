// The senders of a publisher: one per constant address for as long as the connection stands, and a bounded number for
// addresses that only messages know.
import TwinspanConnections
import TwinspanNetwork

/// Senders by their address.
struct AMQP10SenderSet {
    /// The most senders that are made on demand. Ditto has 10; with an address per thing that is too few to keep any.
    static let maximumDynamicCount = 64

    /// Every sender; those of constant addresses first.
    private(set) var all: [AMQP10Sender] = []
    private var byAddress: [AMQP10Address: AMQP10Sender] = [:]
    private let constantCount: Int
    private let timing: AMQP10BrokerClient.Timing

    init(_ setup: AMQP10Setup) {
        timing = setup.timing
        for (target, text) in setup.fields.targetAddresses.enumerated() {
            guard let address = text.map({ AMQP10Address($0) }), address.problem == nil else { continue }
            if byAddress[address] == nil {
                let sender = AMQP10Sender(address, timing: setup.timing, attachLimit: setup.timing.dial)
                byAddress[address] = sender
                all.append(sender)
            }
            byAddress[address]?.targets.append(target)
        }
        constantCount = all.count
    }

    var count: Int { all.count }

    /// The sender of an address, made if need be. Nil when there are too many and none of them is idle.
    mutating func sender(for address: AMQP10Address, on connection: ProtonConnection) -> AMQP10Sender? {
        if let known = byAddress[address] { return known }
        if all.count - constantCount >= Self.maximumDynamicCount {
            let idle = all[constantCount...].indices.filter { all[$0].isIdle }
            guard let oldest = idle.min(by: { all[$0].lastUse < all[$1].lastUse }) else { return nil }
            let sender = all.remove(at: oldest)
            byAddress[sender.address] = nil
            sender.retire(on: connection)
        }
        let sender = AMQP10Sender(address, timing: timing, attachLimit: timing.attach)
        sender.attach(on: connection)
        byAddress[address] = sender
        all.append(sender)
        return sender
    }
}
