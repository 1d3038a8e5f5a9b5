// A small AMQP 0.9.1 client on a blocking socket, for the tests' side of a broker. It shares no code with the adapter,
// so that the two cannot agree on a mistake.
import Glibc

/// An AMQP 0.9.1 client for tests, with one channel. Used by one thread.
public final class RawAMQP091Client {
    /// A message with the properties that tests look at.
    public struct Message: Equatable, Sendable {
        public var body: [UInt8]
        public var contentType: String?
        public var headers: [(name: String, value: AMQP091Value)] = []
        /// 2 survives a restart in a durable queue.
        public var deliveryMode: UInt8?
        public var correlationID: String?
        public var replyTo: String?
        public var messageID: String?

        public init(
            _ body: [UInt8], contentType: String? = nil, headers: [(name: String, value: AMQP091Value)] = [],
            deliveryMode: UInt8? = 2, correlationID: String? = nil, replyTo: String? = nil, messageID: String? = nil
        ) {
            self.body = body
            self.contentType = contentType
            self.headers = headers
            self.deliveryMode = deliveryMode
            self.correlationID = correlationID
            self.replyTo = replyTo
            self.messageID = messageID
        }

        /// The text of a header; nil if there is none, or it is no text.
        public func header(_ name: String) -> String? {
            guard case .text(let text)? = headers.first(where: { $0.name == name })?.value else { return nil }
            return text
        }

        public static func == (left: Message, right: Message) -> Bool {
            left.body == right.body && left.contentType == right.contentType
                && left.deliveryMode == right.deliveryMode && left.correlationID == right.correlationID
                && left.replyTo == right.replyTo && left.messageID == right.messageID
                && left.headers.map(\.name) == right.headers.map(\.name)
                && left.headers.map(\.value) == right.headers.map(\.value)
        }
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var frameMaximum = 131_072
    private var publishedCount: UInt64 = 0
    private var confirmedCount: UInt64 = 0

    /// Connects and opens the channel. Throws if the broker refuses or does not answer within ten seconds.
    public init(port: Int, user: String = "guest", password: String = "guest", vhost: String = "/") throws {
        descriptor = try LoopbackPort.connect(to: port)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        try write(Array("AMQP".utf8) + [0, 0, 9, 1])
        _ = try awaitMethod(10, 10)
        var start = AMQP091Writer()
        start.table([])
        start.shortText("PLAIN")
        start.longText([0] + Array(user.utf8) + [0] + Array(password.utf8))
        start.shortText("en_US")
        try send(10, 11, start.bytes, channel: 0)
        _ = try awaitMethod(10, 30)
        var tune = AMQP091Writer()
        tune.integer(UInt16(1))
        tune.integer(UInt32(frameMaximum))
        tune.integer(UInt16(0))
        try send(10, 31, tune.bytes, channel: 0)
        var open = AMQP091Writer()
        open.shortText(vhost)
        open.bytes += [0, 0]
        try send(10, 40, open.bytes, channel: 0)
        _ = try awaitMethod(10, 41)
        try call(20, 10, [0])
        try call(85, 10, [0])
    }

    deinit { close(descriptor) }

    /// Ends the connection in order.
    public func disconnect() throws {
        try send(10, 50, [0, 200, 0, 0, 0, 0, 0], channel: 0)
        _ = try awaitMethod(10, 51)
    }

    // MARK: Queues and exchanges

    /// Declares a queue.
    public func declareQueue(
        _ name: String, isDurable: Bool = true, arguments: [(name: String, value: AMQP091Value)] = []
    ) throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(name)
        body.bytes.append(isDurable ? 2 : 0)
        body.table(arguments)
        try call(50, 10, body.bytes)
    }

    /// The number of messages that are ready in a queue; throws if there is no such queue.
    public func messageCount(_ queue: String) throws -> Int {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(queue)
        body.bytes.append(1)
        body.table([])
        var answer = AMQP091Reader(try call(50, 10, body.bytes))
        _ = try answer.shortText()
        return Int(try answer.integer(UInt32.self))
    }

    public func deleteQueue(_ name: String) throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(name)
        body.bytes.append(0)
        try call(50, 40, body.bytes)
    }

    /// Removes the messages that are ready.
    public func purge(_ queue: String) throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(queue)
        body.bytes.append(0)
        try call(50, 30, body.bytes)
    }

    /// Declares an exchange.
    public func declareExchange(_ name: String, type: String = "direct") throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(name)
        body.shortText(type)
        body.bytes.append(2)
        body.table([])
        try call(40, 10, body.bytes)
    }

    public func deleteExchange(_ name: String) throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(name)
        body.bytes.append(0)
        try call(40, 20, body.bytes)
    }

    /// Binds a queue to an exchange.
    public func bind(queue: String, exchange: String, key: String) throws {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(queue)
        body.shortText(exchange)
        body.shortText(key)
        body.bytes.append(0)
        body.table([])
        try call(50, 20, body.bytes)
    }

    // MARK: Messages

    /// Publishes and waits until the broker has confirmed all.
    public func publish(_ messages: [Message], exchange: String = "", key: String) throws {
        for message in messages {
            var body = AMQP091Writer(bytes: [0, 0])
            body.shortText(exchange)
            body.shortText(key)
            body.bytes.append(0)
            var frames = RawAMQP091Client.frame(1, channel: 1, RawAMQP091Client.method(60, 40, body.bytes))
            frames += RawAMQP091Client.frame(2, channel: 1, RawAMQP091Client.header(of: message))
            var rest = message.body[...]
            while !rest.isEmpty {
                let part = rest.prefix(frameMaximum - 8)
                frames += RawAMQP091Client.frame(3, channel: 1, Array(part))
                rest = rest.dropFirst(part.count)
            }
            try write(frames)
            publishedCount += 1
            if publishedCount - confirmedCount >= 500 { try awaitConfirms() }
        }
        try awaitConfirms()
    }

    /// Takes a message out of a queue; nil if it is empty.
    public func get(_ queue: String) throws -> Message? {
        var body = AMQP091Writer(bytes: [0, 0])
        body.shortText(queue)
        body.bytes.append(1)
        try send(60, 70, body.bytes, channel: 1)
        while true {
            let answer = try nextMethod()
            if answer.kind == (60, 72) { return nil }
            guard answer.kind == (60, 71) else { continue }
            let header = try nextFrame()
            var reader = AMQP091Reader(header.payload)
            var (message, size) = try RawAMQP091Client.message(&reader)
            while message.body.count < size { message.body += try nextFrame().payload }
            return message
        }
    }

    private func awaitConfirms() throws {
        while confirmedCount < publishedCount {
            let answer = try nextMethod()
            guard answer.kind == (60, 80) || answer.kind == (60, 120) else { continue }
            var reader = AMQP091Reader(answer.body)
            confirmedCount = max(confirmedCount, try reader.integer(UInt64.self))
            try require(answer.kind == (60, 80), "the broker took no message \(confirmedCount)")
        }
    }

    // MARK: Frames

    @discardableResult
    private func call(_ group: UInt16, _ method: UInt16, _ body: [UInt8]) throws -> [UInt8] {
        try send(group, method, body, channel: 1)
        return try awaitMethod(group, method + 1)
    }

    private func awaitMethod(_ group: UInt16, _ method: UInt16) throws -> [UInt8] {
        while true {
            let answer = try nextMethod()
            if answer.kind == (group, method) { return answer.body }
        }
    }

    private func nextMethod() throws -> (kind: (UInt16, UInt16), body: [UInt8]) {
        while true {
            let frame = try nextFrame()
            guard frame.type == 1 else { continue }
            var reader = AMQP091Reader(frame.payload)
            let kind = (try reader.integer(UInt16.self), try reader.integer(UInt16.self))
            if kind == (20, 40) || kind == (10, 50) {
                _ = try reader.integer(UInt16.self)
                throw ScenarioFailure("the broker ends it: \(try reader.shortText())")
            }
            return (kind, Array(frame.payload.dropFirst(4)))
        }
    }

    private func nextFrame() throws -> (type: UInt8, payload: [UInt8]) {
        while true {
            if buffer.count >= 7 {
                var reader = AMQP091Reader(Array(buffer[3..<7]))
                let size = Int(try reader.integer(UInt32.self))
                if buffer.count >= size + 8 {
                    defer { buffer.removeFirst(size + 8) }
                    if buffer[0] != 8 { return (buffer[0], Array(buffer[7..<(7 + size)])) }
                    continue
                }
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw ScenarioFailure("the broker closed the connection or was silent") }
            buffer += chunk[..<count]
        }
    }

    private func send(_ group: UInt16, _ method: UInt16, _ body: [UInt8], channel: UInt16) throws {
        try write(RawAMQP091Client.frame(1, channel: channel, RawAMQP091Client.method(group, method, body)))
    }

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ScenarioFailure("the broker closed the connection") }
            sent += count
        }
    }

    private static func frame(_ type: UInt8, channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        var writer = AMQP091Writer(bytes: [type])
        writer.integer(channel)
        writer.integer(UInt32(payload.count))
        return writer.bytes + payload + [0xCE]
    }

    private static func method(_ group: UInt16, _ method: UInt16, _ body: [UInt8]) -> [UInt8] {
        var writer = AMQP091Writer()
        writer.integer(group)
        writer.integer(method)
        return writer.bytes + body
    }

    /// The content header; its flags go from content type in bit 15 downwards.
    private static func header(of message: Message) -> [UInt8] {
        var properties = AMQP091Writer()
        var flags: UInt16 = 0
        func add(_ bit: Int, _ text: String?) {
            guard let text else { return }
            flags |= 1 << bit
            properties.shortText(text)
        }
        add(15, message.contentType)
        if !message.headers.isEmpty {
            flags |= 1 << 13
            properties.table(message.headers)
        }
        if let mode = message.deliveryMode {
            flags |= 1 << 12
            properties.bytes.append(mode)
        }
        add(10, message.correlationID)
        add(9, message.replyTo)
        add(7, message.messageID)
        var header = AMQP091Writer()
        header.integer(UInt16(60))
        header.integer(UInt16(0))
        header.integer(UInt64(message.body.count))
        header.integer(flags)
        return header.bytes + properties.bytes
    }

    private static func message(_ reader: inout AMQP091Reader) throws -> (Message, size: Int) {
        _ = try reader.integer(UInt32.self)
        let size = Int(try reader.integer(UInt64.self))
        let flags = try reader.integer(UInt16.self)
        func text(_ bit: Int) throws -> String? { flags & 1 << bit == 0 ? nil : try reader.shortText() }
        var message = Message([], deliveryMode: nil)
        message.contentType = try text(15)
        _ = try text(14)
        if flags & 1 << 13 != 0 { message.headers = try reader.table() }
        if flags & 1 << 12 != 0 { message.deliveryMode = try reader.integer(UInt8.self) }
        if flags & 1 << 11 != 0 { _ = try reader.integer(UInt8.self) }
        message.correlationID = try text(10)
        message.replyTo = try text(9)
        _ = try text(8)
        message.messageID = try text(7)
        return (message, size)
    }
}
