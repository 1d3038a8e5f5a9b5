// What a producer does with its handle.
import CRdKafka
import TwinspanNetwork

extension KafkaHandle {
    /// Hands a message to the library, which copies it. What becomes of it comes as a report with this id.
    func produce(
        to destination: KafkaAddress, payload: [UInt8], headers: [(name: String, value: String)], id: Int
    ) -> KafkaCode {
        guard let pointer, let list = rd_kafka_headers_new(headers.count) else { return .queueFull }
        for header in headers {
            var value = header.value
            value.withUTF8 { bytes in
                _ = rd_kafka_header_add(list, header.name, header.name.utf8.count, bytes.baseAddress, bytes.count)
            }
        }
        var key = destination.key ?? ""
        let code = payload.withUnsafeBytes { bytes in
            key.withUTF8 { keyBytes in
                twinspan_rd_kafka_produce(
                    pointer, destination.topic, destination.partition ?? RD_KAFKA_PARTITION_UA,
                    destination.key == nil ? nil : UnsafeRawPointer(keyBytes.baseAddress), keyBytes.count,
                    bytes.baseAddress, bytes.count, list, UnsafeMutableRawPointer(bitPattern: id))
            }
        }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { rd_kafka_headers_destroy(list) }
        return KafkaCode(code)
    }

    /// Makes the library report everything it still has as purged.
    func purge() {
        guard let pointer else { return }
        rd_kafka_purge(pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        rd_kafka_poll(pointer, 0)
    }
}
