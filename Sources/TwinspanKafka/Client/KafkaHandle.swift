// The one owner of a librdkafka handle. The library may be called from any thread and has threads of its own, but its
// callbacks run only inside our own poll calls; so one thread at a time owns a handle and makes every call, and no lock
// is needed here. Log lines, which come on the library's threads, are not taken: what matters comes as an error too.
//
// Traps of 2.0.2 that shape this file: a partition list that is still alive when the handle is destroyed blocks that
// for ever, so every list lives within one method; destroying may block for other reasons, so it happens on a thread
// that can be left behind.
import CRdKafka
import Glibc
import TwinspanNetwork

/// A client handle of librdkafka.
///
/// Unchecked: guarded by the owning thread. It passes to another one only in `release`, and is not used here any more.
final class KafkaHandle: @unchecked Sendable {
    /// What a handle is for.
    enum Role { case consumer, producer }

    /// What the library tells of connections and of itself.
    struct Notice {
        var code: KafkaCode
        var text: String
    }

    /// A partition of a topic.
    struct Partition: Hashable {
        var topic: String
        var number: Int32
    }

    /// What becomes of the partitions we read.
    enum Rebalance {
        case assigned([Partition])
        /// - Parameter isLost: whether somebody else may read them already, so that nothing may be committed.
        case revoked([Partition], isLost: Bool)
        case failed(KafkaCode)
    }

    /// What became of a message that was produced.
    struct Report {
        /// As given to `produce`.
        var id: Int
        var code: KafkaCode
        var partition: Int32
        /// Negative when the broker did not tell.
        var offset: Int64
        /// Milliseconds since 1970; negative when unknown.
        var timestamp: Int64
    }

    /// Called inside `poll` on the owning thread; has to assign or unassign.
    var onRebalance: ((Rebalance) -> Void)?
    /// Delivery reports since they were last taken, in the order in which they came.
    var reports: [Report] = []
    /// The result of the newest asynchronous commit that did not go well.
    var commitTrouble: KafkaCode?
    /// Asynchronous commits whose result has not come.
    var commitsUnderWay = 0
    private var notices: [Notice] = []
    /// Enough to find the reason of a failure; a broker that is away repeats itself.
    private static let noticesMax = 32

    private(set) var pointer: OpaquePointer?
    /// Readable when the library has something for us. The library writes into the other end.
    let descriptor: Int32
    private let writingEnd: Int32
    private let role: Role
    private var topics: [(pointer: OpaquePointer, name: String)] = []

    /// Makes a handle and starts the library's threads. Throws what it says to one of the settings.
    init(_ role: Role, settings: [(name: String, value: String)]) throws(KafkaRefusal) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw KafkaRefusal(setting: nil, text: systemErrorText(errno)) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (descriptor, writingEnd) = (ends[0], ends[1])
        self.role = role
        guard let configuration = rd_kafka_conf_new() else { throw KafkaRefusal(setting: nil, text: "out of memory") }
        var text = [CChar](repeating: 0, count: 512)
        for setting in settings {
            let code = rd_kafka_conf_set(configuration, setting.name, setting.value, &text, text.count)
            guard code == RD_KAFKA_CONF_OK else {
                rd_kafka_conf_destroy(configuration)
                throw KafkaRefusal(setting: setting.name, text: KafkaHandle.string(text))
            }
        }
        // Unretained: callbacks run inside methods of this object, and whoever destroys the handle keeps it until then.
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
        installCallbacks(on: configuration, for: role)
        let kind = role == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
        pointer = rd_kafka_new(kind, configuration, &text, text.count)
        guard let pointer else {
            rd_kafka_conf_destroy(configuration)
            throw KafkaRefusal(setting: nil, text: KafkaHandle.string(text))
        }
        if role == .consumer { rd_kafka_poll_set_consumer(pointer) }
        let queue = role == .consumer ? rd_kafka_queue_get_consumer(pointer) : rd_kafka_queue_get_main(pointer)
        rd_kafka_queue_io_event_enable(queue, writingEnd, "!", 1)
        rd_kafka_queue_destroy(queue)
    }

    deinit {
        if let pointer { rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) }
        close(descriptor)
        close(writingEnd)
    }

    /// Lets the handle go: on a thread of its own, for which the caller waits until `deadline`. A handle that does not
    /// end by then is left to that thread. Returns whether it has ended.
    @discardableResult
    func release(until deadline: Deadline) -> Bool {
        guard let wake = WakeSignal() else { return false }
        guard let taken = pointer.take() else { return true }
        let remains = Remains(pointer: taken, handle: self)
        let call = AbandonableCall<Bool>.run(until: deadline, control: SessionControl(), wake: wake) {
            rd_kafka_destroy_flags(remains.pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            return true
        }
        if case .finished = call { return true }
        return false
    }

    /// A handle on its way out, and the object its callbacks know.
    ///
    /// Unchecked: used by the destroying thread alone.
    private struct Remains: @unchecked Sendable {
        let pointer: OpaquePointer
        let handle: KafkaHandle
    }

    /// Forgets that the descriptor is readable. To be called before what is there is taken.
    func drainDescriptor() {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while read(descriptor, buffer.baseAddress, buffer.count) == buffer.count {}
        }
    }

    /// Takes what the library has told since the last call.
    func takeNotices() -> [Notice] {
        defer { notices.removeAll(keepingCapacity: true) }
        return notices
    }

    /// Asks about a topic, or with nil only whether the cluster answers. Blocks at most for `patience`.
    func ask(about topic: String?, patience: Duration) -> KafkaCode {
        guard let pointer else { return .state }
        let object = topic.flatMap { rd_kafka_topic_new(pointer, $0, nil) }
        defer { if let object { rd_kafka_topic_destroy(object) } }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(pointer, 0, object, &metadata, patience.milliseconds)
        defer { if let metadata { rd_kafka_metadata_destroy(metadata) } }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let found = metadata?.pointee else { return KafkaCode(code) }
        guard topic != nil, found.topic_cnt > 0 else { return .success }
        return KafkaCode(found.topics[0].err)
    }

    /// Runs the callbacks of what has come in, without waiting. For producers; consumers poll for records.
    func serve() {
        if let pointer, role == .producer { rd_kafka_poll(pointer, 0) }
    }

    // MARK: Called by the callbacks

    func note(_ code: KafkaCode, _ text: String) {
        if notices.count == KafkaHandle.noticesMax { notices.removeFirst() }
        notices.append(Notice(code: code, text: text))
    }

    // MARK: Details

    /// The name of a topic object of the library, which lives as long as it has messages for us.
    func name(of topic: OpaquePointer) -> String {
        // A connection has a handful of topics, so a scan is quicker than a hash.
        for known in topics where known.pointer == topic { return known.name }
        let name = String(cString: rd_kafka_topic_name(topic))
        topics.append((topic, name))
        return name
    }

    /// Forgets topic objects: their addresses may name others after a rebalance.
    func forgetTopics() { topics.removeAll(keepingCapacity: true) }

    static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The library did not take a setting.
struct KafkaRefusal: Error {
    /// Its name; nil when they do not go together.
    var setting: String?
    /// The library's words.
    var text: String
}

extension Duration {
    /// Whole milliseconds for the library, at least 1.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        return Int32(clamping: max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
