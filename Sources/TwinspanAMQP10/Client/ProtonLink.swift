// A link of a connection with the session it lives in. Receivers hand out whole messages and settle them when they are
// told to; senders send while they have credit. After the link or its connection is gone every call does nothing: the
// library's objects are no more by then. Confined to the session's thread.
import CQpidProton

/// One end of a way to an address.
final class ProtonLink {
    enum Role { case receiver, sender }

    /// Where a link stands.
    enum State: Equatable {
        case attaching
        case open
        /// The peer has ended it, with its reason if it gave one.
        case ended(ProtonCondition?)
    }

    /// What a peer answers to a message, and what we answer.
    enum Outcome: Equatable {
        case accepted
        case rejected(ProtonCondition?)
        case released
        case modified
        /// Settled without saying how.
        case unknown
    }

    /// A message that waits for its settlement.
    struct Delivery {
        fileprivate let link: ProtonLink
        fileprivate let pointer: OpaquePointer

        /// Answers the peer and forgets the message. Nothing happens when the link or the connection is gone.
        func settle(as outcome: Outcome) {
            guard link.pointer != nil else { return }
            switch outcome {
            case .accepted: pn_delivery_update(pointer, UInt64(PN_ACCEPTED))
            case .released: pn_delivery_update(pointer, UInt64(PN_RELEASED))
            case .modified:
                pn_disposition_set_failed(pn_delivery_local(pointer), true)
                pn_delivery_update(pointer, UInt64(PN_MODIFIED))
            case .rejected(let condition):
                if let condition {
                    let slot = pn_disposition_condition(pn_delivery_local(pointer))
                    pn_condition_set_name(slot, condition.name)
                    pn_condition_set_description(slot, condition.text)
                }
                pn_delivery_update(pointer, UInt64(PN_REJECTED))
            case .unknown: break
            }
            pn_delivery_settle(pointer)
        }
    }

    /// What a receiver had to give.
    enum Received {
        /// Nothing whole yet.
        case nothing
        /// The message stands in `message`.
        case message(Delivery)
        /// The peer has taken a message back.
        case aborted
        /// More than the limit; it was rejected.
        case tooLarge
    }

    let address: AMQP10Address
    let isDurable: Bool
    private(set) var state = State.attaching
    /// The bytes of the message that was received last, or of as much as has come of the next.
    private(set) var message: [UInt8] = []

    private let role: Role
    private var pointer: OpaquePointer?
    private var session: OpaquePointer?
    private var hasMessage = false
    private var tag: UInt64 = 0

    /// Bytes of unread frames a session may hold, per frame size.
    private static let bufferedFrames = 16

    /// Asks for a link in a new session. Nil when there is no memory.
    init?(
        _ role: Role, address: AMQP10Address, name: String, isDurable: Bool, on connection: OpaquePointer,
        maximumFrameSize: Int
    ) {
        self.role = role
        self.address = address
        self.isDurable = isDurable
        guard let session = pn_session(connection) else { return nil }
        guard let link = role == .receiver ? pn_receiver(session, name) : pn_sender(session, name) else {
            pn_session_free(session)
            return nil
        }
        (self.session, pointer) = (session, link)
        // Unretained: the connection keeps this object until `retire` or `forget` has taken the context away.
        let context = Unmanaged.passUnretained(self).toOpaque()
        pn_session_set_context(session, context)
        pn_link_set_context(link, context)
        pn_session_set_incoming_capacity(session, maximumFrameSize * ProtonLink.bufferedFrames)
        guard let terminus = role == .receiver ? pn_link_source(link) : pn_link_target(link),
            let other = role == .receiver ? pn_link_target(link) : pn_link_source(link)
        else { return }
        pn_terminus_set_type(terminus, role == .receiver ? PN_SOURCE : PN_TARGET)
        pn_terminus_set_type(other, role == .receiver ? PN_TARGET : PN_SOURCE)
        pn_terminus_set_address(terminus, address.name)
        if isDurable { pn_terminus_set_durability(terminus, PN_DELIVERIES) }
        if let capability = address.capability { ProtonLink.put(capability, into: pn_terminus_capabilities(terminus)) }
        pn_link_set_snd_settle_mode(link, PN_SND_MIXED)
        pn_link_set_rcv_settle_mode(link, PN_RCV_FIRST)
        pn_session_open(session)
        pn_link_open(link)
    }

    private static func put(_ symbol: String, into data: OpaquePointer?) {
        var symbol = symbol
        _ = symbol.withUTF8 { bytes in
            // The library copies them.
            bytes.withMemoryRebound(to: CChar.self) { text in
                pn_data_put_symbol(data, pn_bytes_t(size: text.count, start: text.baseAddress))
            }
        }
    }

    // MARK: Events

    /// The link a context of the library stands for.
    static func of(_ context: UnsafeMutableRawPointer?) -> ProtonLink? {
        context.map { Unmanaged<ProtonLink>.fromOpaque($0).takeUnretainedValue() }
    }

    static func of(link: OpaquePointer) -> ProtonLink? { of(pn_link_get_context(link)) }

    /// The peer has answered. Without a terminus of its own it refuses, and says why in a moment.
    func noteAttached() {
        guard let pointer, state == .attaching else { return }
        let terminus = role == .receiver ? pn_link_remote_source(pointer) : pn_link_remote_target(pointer)
        if let terminus, pn_terminus_get_type(terminus) != PN_UNSPECIFIED { state = .open }
    }

    func noteEnd(_ condition: ProtonCondition?) {
        if case .ended(let known) = state, known != nil || condition == nil { return }
        state = .ended(condition)
    }

    /// The outcome of a message that was sent, once the peer has settled it or said what becomes of it.
    static func outcome(of delivery: OpaquePointer) -> (id: Int, outcome: Outcome)? {
        guard let link = pn_delivery_link(delivery), pn_link_is_sender(link), pn_delivery_updated(delivery),
            let context = pn_delivery_get_context(delivery)
        else { return nil }
        let outcome: Outcome
        switch pn_delivery_remote_state(delivery) {
        case UInt64(PN_ACCEPTED): outcome = .accepted
        case UInt64(PN_REJECTED):
            outcome = .rejected(ProtonCondition(pn_disposition_condition(pn_delivery_remote(delivery))))
        case UInt64(PN_RELEASED): outcome = .released
        case UInt64(PN_MODIFIED): outcome = .modified
        default:
            // RECEIVED is only news on the way; anything else that is settled is an end without an outcome.
            guard pn_delivery_settled(delivery) else {
                pn_delivery_clear(delivery)
                return nil
            }
            outcome = .unknown
        }
        pn_delivery_set_context(delivery, nil)
        pn_delivery_settle(delivery)
        return (Int(bitPattern: context), outcome)
    }

    // MARK: Receiving

    /// Takes the next whole message, if there is one, into `message`.
    func receive(limit: Int) -> Received {
        if hasMessage {
            hasMessage = false
            message.removeAll(keepingCapacity: message.capacity <= 1 << 20)
        }
        guard let pointer, let delivery = pn_link_current(pointer) else { return .nothing }
        if pn_delivery_aborted(delivery) {
            pn_delivery_settle(delivery)
            message.removeAll(keepingCapacity: true)
            return .aborted
        }
        let pending = pn_delivery_pending(delivery)
        guard message.count + pending <= limit else {
            let text = "a message may have \(limit) bytes"
            Delivery(link: self, pointer: delivery).settle(
                as: .rejected(ProtonCondition(name: "amqp:link:message-size-exceeded", text: text)))
            message.removeAll(keepingCapacity: false)
            return .tooLarge
        }
        if pending > 0 {
            let start = message.count
            message.append(contentsOf: repeatElement(0, count: pending))
            let count = message.withUnsafeMutableBytes { bytes in
                pn_link_recv(
                    pointer, bytes.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self), pending)
            }
            if count < pending { message.removeLast(pending - max(0, count)) }
        }
        if pn_delivery_partial(delivery) { return .nothing }
        pn_link_advance(pointer)
        hasMessage = true
        return .message(Delivery(link: self, pointer: delivery))
    }

    /// Lets the peer send so many messages that `window` of them are under way or unsettled.
    func grant(window: Int) {
        guard let pointer, state == .open else { return }
        let missing = window - Int(pn_link_remote_credit(pointer)) - Int(pn_link_unsettled(pointer))
        // In halves: a flow frame for every message would cost more than the messages.
        if missing > 0, missing * 2 >= window { pn_link_flow(pointer, Int32(clamping: missing)) }
    }

    // MARK: Sending

    /// How many messages the peer takes at the moment.
    var credit: Int { pointer.map { Int(pn_link_credit($0)) } ?? 0 }

    /// Bytes that are not yet on the wire.
    var bufferedBytes: Int { session.map { Int(pn_session_outgoing_bytes($0)) } ?? 0 }

    /// The largest message the peer takes; nil when it does not say.
    var maximumMessageSize: UInt64? {
        guard let pointer else { return nil }
        let size = pn_link_remote_max_message_size(pointer)
        return size == 0 ? nil : size
    }

    /// Sends a message whose outcome comes back under `id`, which must not be 0. The library copies the bytes.
    func send(_ bytes: [UInt8], id: Int) -> Bool {
        guard let pointer, state == .open else { return false }
        tag &+= 1
        let delivery = withUnsafeBytes(of: tag) { bytes in
            pn_delivery(pointer, pn_dtag(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count))
        }
        guard let delivery else { return false }
        pn_delivery_set_context(delivery, UnsafeMutableRawPointer(bitPattern: id))
        _ = bytes.withUnsafeBytes { bytes in
            pn_link_send(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        pn_link_advance(pointer)
        return true
    }

    // MARK: The end

    /// Closes link and session and gives them back to the library.
    func retire() {
        guard let link = pointer, let session else { return }
        forget()
        pn_link_set_context(link, nil)
        pn_session_set_context(session, nil)
        pn_link_close(link)
        pn_session_close(session)
        pn_link_free(link)
        pn_session_free(session)
    }

    /// The connection is gone, and with it the library's objects.
    func forget() {
        (pointer, session) = (nil, nil)
        if case .ended = state { return }
        state = .ended(nil)
    }
}
