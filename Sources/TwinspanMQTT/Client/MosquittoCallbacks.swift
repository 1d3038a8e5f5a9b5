// The functions libmosquitto calls back, all inside a method of `MosquittoHandle` on its owning thread and under the
// library's callback lock. They copy what they are given and return; they never call into the library.
import CMosquitto
import Glibc

/// Installs the callbacks. The `_v5` forms also fire for MQTT 3.1.1.
func installCallbacks(on pointer: OpaquePointer) {
    mosquitto_log_callback_set(pointer, onLog)
    mosquitto_connect_v5_callback_set(pointer, onConnect)
    mosquitto_subscribe_v5_callback_set(pointer, onSubscribe)
    mosquitto_message_v5_callback_set(pointer, onMessage)
    mosquitto_publish_v5_callback_set(pointer, onPublish)
    mosquitto_disconnect_v5_callback_set(pointer, onDisconnect)
}

/// The context was set from a living handle, which outlives every call (`MosquittoHandle.init`).
private func handle(_ context: UnsafeMutableRawPointer?) -> MosquittoHandle? {
    context.map { Unmanaged<MosquittoHandle>.fromOpaque($0).takeUnretainedValue() }
}

private func onLog(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, level: Int32, text: UnsafePointer<CChar>?
) {
    guard level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING, let text else { return }
    handle(context)?.noteError(String(cString: text))
}

private func onConnect(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, code: Int32, flags: Int32, properties: OpaquePointer?
) {
    var answer = MosquittoHandle.ConnectAnswer(code: Int(code), isSessionPresent: flags & 1 != 0)
    if let properties {
        answer.reason = MosquittoProperty.text(in: properties, MosquittoProperty.reason)
        answer.otherServer = MosquittoProperty.text(in: properties, MosquittoProperty.serverReference)
        answer.keepAliveSeconds = MosquittoProperty.number16(in: properties, MosquittoProperty.serverKeepAlive)
        answer.sessionExpirySeconds = MosquittoProperty.number32(in: properties, MosquittoProperty.sessionExpiry)
    }
    handle(context)?.noteConnectAnswer(answer)
}

private func onSubscribe(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, id: Int32, count: Int32, codes: UnsafePointer<Int32>?,
    _: OpaquePointer?
) {
    handle(context)?.noteSubscribeAnswer(id: id, codes: UnsafeBufferPointer(start: codes, count: Int(count)))
}

private func onMessage(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, message: UnsafePointer<mosquitto_message>?,
    properties: OpaquePointer?
) {
    guard let message, let topic = message.pointee.topic, let receive = handle(context)?.receiver else { return }
    receive(
        UnsafeRawBufferPointer(start: topic, count: strlen(topic)),
        UnsafeRawBufferPointer(start: message.pointee.payload, count: Int(message.pointee.payloadlen)),
        UInt8(truncatingIfNeeded: message.pointee.qos), message.pointee.retain,
        properties.map { MQTTProperties(reading: $0).headers } ?? [])
}

private func onPublish(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, id: Int32, code: Int32, _: OpaquePointer?
) {
    handle(context)?.confirmations.append((id: id, code: Int(code)))
}

private func onDisconnect(
    _: OpaquePointer?, context: UnsafeMutableRawPointer?, code: Int32, _: OpaquePointer?
) {
    handle(context)?.noteDisconnect(code: code)
}
