// The far end of a target of any type: everything that arrives, with the header it came with, in its order.
import Foundation
import TwinspanTestSupport

/// Collects what a target has sent, on a thread of its own.
final class BrokerSink: @unchecked Sendable {
    // Unchecked: `arrivals` and `isStopping` have their locks; the rest is immutable.
    /// A message as it came; it is read when all have come.
    struct Arrival: Sendable {
        var payload: [UInt8]
        /// What came as `came-from`.
        var header: String?
    }

    let kind: BrokerKind
    /// The connection that leads here.
    private(set) var file = ""
    let arrivals = Watched<[Arrival]>([])
    private let isStopping = Watched(false)
    private var server: HTTPTestServer?

    /// Begins to collect.
    /// - Parameter options: of the target, under `twinspan`.
    init(_ kind: BrokerKind, in yard: BrokerYard, options: String) throws {
        self.kind = kind
        let place = "\(yard.name)-out-\(kind.rawValue)"
        switch kind {
        case .mqtt, .mqtt5:
            file = yard.target(kind, address: place + "/{{ thing:name }}", options: options)
            let client = try RawMQTTClient(
                port: yard.mosquitto.port, clientID: "sink-\(kind)", isV5: kind == .mqtt5)
            try client.subscribe(place + "/#")
            collect { try Self.next(client) }
        case .amqp091, .amqp10:
            let address = (kind == .amqp091 ? "/" : "/amq/queue/") + place
            file = yard.target(kind, address: address, options: options)
            try yard.rabbit.declareQueue(place)
            let client = try yard.rabbit.client()
            collect { try Self.next(client, place) }
        case .kafka:
            file = yard.target(kind, address: place + "/{{ thing:id }}", options: options)
            try yard.cluster.makeTopic(place, partitions: 4)
            let collector = try yard.cluster.collect(place)
            collect {
                try collector.record(within: 100).map { record in
                    Arrival(payload: record.value ?? [], header: record.header("came-from"))
                }
            }
        case .httpPush:
            let arrivals = arrivals
            let server = try HTTPTestServer { request in
                arrivals.update {
                    $0.append(Arrival(payload: request.body, header: request.header("came-from")))
                }
                return .answer(status: 204)
            }
            self.server = server
            file = yard.target(
                kind, address: "POST:/events/{{ thing:name }}", port: server.port, options: options)
        }
    }

    /// Ends the thread.
    func stop() {
        isStopping.update { $0 = true }
        server?.stop()
    }

    private func collect(_ next: @escaping () throws -> Arrival?) {
        nonisolated(unsafe) let next = next  // Called by the new thread alone.
        Thread.detachNewThread { [isStopping, arrivals] in
            while !isStopping.current {
                // A client that hears nothing for a while says so; what is missing shows in the end.
                if let arrival = try? next() { arrivals.update { $0.append(arrival) } }
            }
        }
    }

    private static func next(_ client: RawMQTTClient) throws -> Arrival? {
        let message = try client.receive()
        for case .user("came-from", let value) in message.properties {
            return Arrival(payload: message.payload, header: value)
        }
        // Over MQTT 3.1.1 it is the last of three levels.
        let levels = message.topic.split(separator: "/")
        return Arrival(payload: message.payload, header: levels.count == 3 ? String(levels[2]) : nil)
    }

    private static func next(_ client: RawAMQP091Client, _ queue: String) throws -> Arrival? {
        guard let message = try client.get(queue) else {
            usleep(5_000)
            return nil
        }
        return Arrival(payload: AMQP10Sections.body(message.body), header: header(of: message))
    }

    /// RabbitMQ keeps the application properties of AMQP 1.0 as they stand, in one header of AMQP 0.9.1.
    private static func header(of message: RawAMQP091Client.Message) -> String? {
        if let text = message.header("came-from") { return text }
        for header in message.headers where header.name.hasPrefix("x-amqp-1.0-") {
            let bytes: [UInt8] =
                switch header.value {
                case .bytes(let bytes): bytes
                case .text(let text): Array(text.utf8)
                default: []
                }
            if let text = AMQP10Sections.property("came-from", in: bytes) { return text }
        }
        return nil
    }
}

/// As much of AMQP 1.0's encoding as is needed to read what RabbitMQ hands on as it stands.
private enum AMQP10Sections {
    /// The text of a body that is a section with a string in it; any other body as it is.
    static func body(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.starts(with: [0x00, 0x53]), bytes.count > 8 else { return bytes }
        let start = [0xA0: 5, 0xA1: 5, 0xB0: 8, 0xB1: 8][bytes[3]] ?? bytes.count
        return Array(bytes[min(start, bytes.count)...])
    }

    /// The short string that follows a name. Its mark is 0xA1, or what has become of that in a text of UTF-8.
    static func property(_ name: String, in bytes: [UInt8]) -> String? {
        guard let range = bytes.firstRange(of: Array(name.utf8)) else { return nil }
        let rest = bytes[range.upperBound...]
        guard let mark = [[0xA1], [0xEF, 0xBF, 0xBD]].first(where: { rest.starts(with: $0) }),
            let length = rest.dropFirst(mark.count).first
        else { return nil }
        return String(decoding: rest.dropFirst(mark.count + 1).prefix(Int(length)), as: UTF8.self)
    }
}
