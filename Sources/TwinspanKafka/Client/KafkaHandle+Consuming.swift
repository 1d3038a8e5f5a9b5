// What a consumer does with its handle: subscribe, read, remember how far it came. Every list of partitions is made and
// destroyed within one method: one that outlives it would keep the handle from ending.
import CRdKafka
import Glibc
import TwinspanNetwork

extension KafkaHandle {
    /// A record as it was read. The buffers are valid during the call only.
    struct Record {
        var partition: Partition
        var offset: Int64
        /// Milliseconds since 1970; negative when the record has none.
        var timestamp: Int64
        /// Nil when the record has no key.
        var key: UnsafeRawBufferPointer?
        var payload: UnsafeRawBufferPointer
        /// Each name once, with its last value.
        var headers: [(name: String, value: String)]
    }

    /// What one poll brought.
    enum Polled {
        case nothing
        case record
        /// - Parameter partition: number -1 where the whole topic is meant; nil where no topic is.
        case problem(KafkaCode, String, Partition?)
    }

    /// Asks to be a member of the group that reads these topics.
    func subscribe(_ topics: [String]) -> KafkaCode {
        withList(topics.map { (Partition(topic: $0, number: -1), 0) }) { list in
            KafkaCode(rd_kafka_subscribe(pointer, list))
        }
    }

    /// Takes one message without waiting. A record is handed to `receive`.
    func poll(_ receive: (Record) -> Void) -> Polled {
        guard let pointer, let message = rd_kafka_consumer_poll(pointer, 0) else { return .nothing }
        defer { rd_kafka_message_destroy(message) }
        let content = message.pointee
        let topic = content.rkt.map { name(of: $0) }
        guard content.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_message_errstr(message).map { String(cString: $0) } ?? ""
            return .problem(
                KafkaCode(content.err), text, topic.map { Partition(topic: $0, number: content.partition) })
        }
        guard let topic else { return .nothing }
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        receive(
            Record(
                partition: Partition(topic: topic, number: content.partition), offset: content.offset,
                timestamp: rd_kafka_message_timestamp(message, &kind),
                key: content.key.map { UnsafeRawBufferPointer(start: $0, count: content.key_len) },
                payload: UnsafeRawBufferPointer(
                    start: content.payload, count: content.payload == nil ? 0 : content.len),
                headers: Self.headers(of: message)))
        return .record
    }

    private static func headers(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [(name: String, value: String)]
    {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(rd_kafka_header_cnt(list) + 3)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        var index = 0
        while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            index += 1
            guard let name else { continue }
            let text = String(cString: name)
            let content = String(decoding: UnsafeRawBufferPointer(start: value, count: size), as: UTF8.self)
            if let known = headers.firstIndex(where: { $0.name == text }) {
                headers[known].value = content
            } else {
                headers.append((text, content))
            }
        }
        return headers
    }

    /// Reads these partitions from these offsets on, and no others.
    func assign(_ places: [(Partition, Int64)]) -> KafkaCode {
        withList(places) { KafkaCode(rd_kafka_assign(pointer, $0)) }
    }

    /// Reads one partition from another offset on. Waits at most a second for it.
    func seek(_ partition: Partition, to offset: Int64) -> KafkaCode {
        guard let object = rd_kafka_topic_new(pointer, partition.topic, nil) else { return .state }
        defer { rd_kafka_topic_destroy(object) }
        return KafkaCode(rd_kafka_seek(object, partition.number, offset, 1000))
    }

    /// Stops, or goes on, reading partitions without leaving the group.
    func pause(_ partitions: [Partition], _ isPaused: Bool) {
        _ = withList(partitions.map { ($0, 0) }) { list in
            isPaused ? rd_kafka_pause_partitions(pointer, list) : rd_kafka_resume_partitions(pointer, list)
        }
    }

    /// Where the group has come to; partitions without a place are missing. Nil when nobody answers.
    func committed(_ partitions: [Partition], patience: Duration) -> [Partition: Int64]? {
        withList(partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) }) { list in
            guard rd_kafka_committed(pointer, list, patience.milliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR else {
                return nil
            }
            return Self.offsets(of: list)
        }
    }

    /// The first offset of each partition, or the one behind its last; those nobody told are missing.
    func offsets(_ partitions: [Partition], atEnd: Bool, patience: Duration) -> [Partition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let which = Int64(atEnd ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING)
        return withList(partitions.map { ($0, which) }) { list in
            _ = rd_kafka_offsets_for_times(pointer, list, patience.milliseconds)
            return Self.offsets(of: list)
        }
    }

    /// Remembers places to be committed.
    func store(_ places: [(Partition, Int64)]) -> KafkaCode {
        guard !places.isEmpty else { return .success }
        return withList(places) { KafkaCode(rd_kafka_offsets_store(pointer, $0)) }
    }

    /// Commits what is stored, without waiting. Never with a list: the library would take places of partitions that
    /// belong to somebody else by now.
    func commit() {
        let code = KafkaCode(rd_kafka_commit(pointer, nil, 1))
        if code == .success { commitsUnderWay += 1 }
        if code != .success, code != .noOffset { commitTrouble = code }
    }

    /// Commits what is stored and waits until `deadline`. The library's own waiting commit would block for as long as
    /// the broker is away.
    func commit(until deadline: Deadline) -> KafkaCode {
        guard let pointer, let queue = rd_kafka_queue_new(pointer) else { return .state }
        defer { rd_kafka_queue_destroy(queue) }
        let code = rd_kafka_commit_queue(pointer, nil, queue, nil, nil)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return KafkaCode(code) }
        while true {
            if let event = rd_kafka_queue_poll(queue, min(deadline.remaining.milliseconds, 100)) {
                defer { rd_kafka_event_destroy(event) }
                guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT else { continue }
                let code = KafkaCode(rd_kafka_event_error(event))
                return code == .noOffset ? .success : code
            }
            if deadline.hasPassed { return .timedOut }
        }
    }

    /// Leaves the group, as far as that goes until `deadline`. Nothing is committed by it.
    func leave(until deadline: Deadline) {
        guard let pointer, let queue = rd_kafka_queue_new(pointer) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        if let error = rd_kafka_consumer_close_queue(pointer, queue) {
            rd_kafka_error_destroy(error)
            return
        }
        while rd_kafka_consumer_closed(pointer) == 0, !deadline.hasPassed {
            guard let event = rd_kafka_queue_poll(queue, min(deadline.remaining.milliseconds, 100)) else { continue }
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE { rd_kafka_assign(pointer, nil) }
            rd_kafka_event_destroy(event)
        }
    }

    /// Makes a list for one call.
    private func withList<Result>(
        _ places: [(Partition, Int64)],
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Result
    ) -> Result {
        let list = rd_kafka_topic_partition_list_new(Int32(places.count))
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for (partition, offset) in places {
            rd_kafka_topic_partition_list_add(list, partition.topic, partition.number)?.pointee.offset = offset
        }
        return body(list)
    }

    private static func offsets(of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [Partition: Int64] {
        guard let list = list?.pointee else { return [:] }
        var offsets: [Partition: Int64] = [:]
        for index in 0..<Int(list.cnt) {
            let element = list.elems[index]
            guard element.err == RD_KAFKA_RESP_ERR_NO_ERROR, element.offset >= 0 else { continue }
            offsets[Partition(topic: String(cString: element.topic), number: element.partition)] = element.offset
        }
        return offsets
    }
}
