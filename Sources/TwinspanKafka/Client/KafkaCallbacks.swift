// The functions librdkafka calls back, all inside a poll call of `KafkaHandle` on its owning thread, except that for
// log lines, which come on the library's threads and are dropped.
import CRdKafka

/// Installs the callbacks a role needs.
func installCallbacks(on configuration: OpaquePointer, for role: KafkaHandle.Role) {
    rd_kafka_conf_set_log_cb(configuration, onLog)
    rd_kafka_conf_set_error_cb(configuration, onError)
    switch role {
    case .producer: rd_kafka_conf_set_dr_msg_cb(configuration, onDelivery)
    case .consumer:
        rd_kafka_conf_set_rebalance_cb(configuration, onRebalance)
        rd_kafka_conf_set_offset_commit_cb(configuration, onCommit)
    }
}

/// The context was set from a living handle, which outlives every call (`KafkaHandle.release`).
private func handle(_ context: UnsafeMutableRawPointer?) -> KafkaHandle? {
    context.map { Unmanaged<KafkaHandle>.fromOpaque($0).takeUnretainedValue() }
}

private func onLog(
    _: OpaquePointer?, level: Int32, facility: UnsafePointer<CChar>?, text: UnsafePointer<CChar>?
) {}

private func onError(
    pointer: OpaquePointer?, code: Int32, text: UnsafePointer<CChar>?, context: UnsafeMutableRawPointer?
) {
    handle(context)?.note(KafkaCode(rawValue: code), text.map { String(cString: $0) } ?? "")
}

private func onDelivery(
    _: OpaquePointer?, message: UnsafePointer<rd_kafka_message_t>?, context: UnsafeMutableRawPointer?
) {
    guard let message else { return }
    var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let timestamp = rd_kafka_message_timestamp(message, &kind)
    handle(context)?.reports.append(
        KafkaHandle.Report(
            id: Int(bitPattern: message.pointee._private), code: KafkaCode(message.pointee.err),
            partition: message.pointee.partition, offset: message.pointee.offset, timestamp: timestamp))
}

private func onRebalance(
    pointer: OpaquePointer?, code: rd_kafka_resp_err_t,
    list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, context: UnsafeMutableRawPointer?
) {
    guard let pointer, let handle = handle(context) else { return }
    let partitions = partitions(of: list)
    handle.forgetTopics()
    switch code {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: handle.onRebalance?(.assigned(partitions))
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        handle.onRebalance?(.revoked(partitions, isLost: rd_kafka_assignment_lost(pointer) != 0))
        rd_kafka_assign(pointer, nil)
    default:
        handle.onRebalance?(.failed(KafkaCode(code)))
        rd_kafka_assign(pointer, nil)
    }
}

private func onCommit(
    _: OpaquePointer?, code: rd_kafka_resp_err_t, _: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
    context: UnsafeMutableRawPointer?
) {
    guard let handle = handle(context) else { return }
    handle.commitsUnderWay = max(0, handle.commitsUnderWay - 1)
    let code = KafkaCode(code)
    if code != .success, code != .noOffset { handle.commitTrouble = code }
}

/// The partitions of a list of the library.
func partitions(of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [KafkaHandle.Partition] {
    guard let list = list?.pointee else { return [] }
    return (0..<Int(list.cnt)).map { index in
        KafkaHandle.Partition(topic: String(cString: list.elems[index].topic), number: list.elems[index].partition)
    }
}
