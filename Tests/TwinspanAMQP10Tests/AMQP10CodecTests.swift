// Messages as bytes: what is read from each section and type, what is refused, and what is written.
import Testing
import TwinspanConnections

@testable import TwinspanAMQP10

@Suite("AMQP 1.0 messages")
struct AMQP10CodecTests {
    private func decode(_ bytes: [UInt8]) throws -> AMQP10Decoder {
        try bytes.withUnsafeBytes { try AMQP10Decoder($0) }
    }

    private func payload(_ bytes: [UInt8]) throws -> [UInt8] {
        let decoded = try decode(bytes)
        return decoded.payload.map { Array(bytes[$0]) } ?? decoded.joined
    }

    private func properties(_ values: [UInt8]...) -> [UInt8] {
        let content = values.flatMap { $0 }
        return [0, 0x53, 0x73, 0xC0, UInt8(content.count + 1), UInt8(values.count)] + content
    }

    private func string(_ text: String) -> [UInt8] { [0xA1, UInt8(text.utf8.count)] + text.utf8 }

    @Test("each body becomes text or bytes")
    func bodies() throws {
        let rows: [(bytes: [UInt8], payload: [UInt8], isBinary: Bool)] = [
            ([], [], false),
            ([0, 0x53, 0x77, 0x40], [], false),
            ([0, 0x53, 0x77] + string("hi"), Array("hi".utf8), false),
            ([0, 0x53, 0x77, 0xB1, 0, 0, 0, 1, 0x61], [0x61], false),
            ([0, 0x53, 0x77, 0xA1, 1, 0xFF], [0xFF], true),
            ([0, 0x53, 0x77, 0xA0, 2, 0, 1], [0, 1], true),
            ([0, 0x53, 0x77, 0x41], Array("true".utf8), false),
            ([0, 0x53, 0x77, 0x54, 0xFE], Array("-2".utf8), false),
            ([0, 0x53, 0x75, 0xA0, 1, 7], [7], true),
            ([0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x75, 0xA0, 1, 7], [7], true),
            ([0, 0x53, 0x75, 0xA0, 1, 7, 0, 0x53, 0x75, 0xA0, 0, 0, 0x53, 0x75, 0xA0, 1, 8], [7, 8], true),
            ([0, 0x53, 0x76, 0x45], [0x45], true),
            ([0, 0x53, 0x70, 0x45, 0, 0x53, 0x75, 0xA0, 1, 7, 0, 0x53, 0x78, 0xC1, 1, 0], [7], true),
        ]
        for row in rows {
            #expect(try payload(row.bytes) == row.payload, "\(row.bytes)")
            #expect(try decode(row.bytes).isBinary == row.isBinary, "\(row.bytes)")
        }
    }

    @Test("bytes that are no message are refused")
    func invalid() {
        let rows: [(bytes: [UInt8], error: AMQPReadError)] = [
            ([0], .truncated), ([0, 0x53], .truncated), ([0, 0x53, 0x75], .truncated),
            ([0, 0x53, 0x75, 0xA0, 2, 1], .truncated), ([0, 0x53, 0x77, 0xB1, 0xFF, 0xFF, 0xFF, 0xFF], .truncated),
            (Array("garbage".utf8), .malformed), ([0, 0x53, 0x6F, 0x40], .malformed),
            ([0, 0x53, 0x79, 0x40], .malformed), ([0, 0x53, 0x75, 0x40], .malformed),
            ([0, 0x53, 0x73, 0xA0, 1, 1], .malformed), ([0, 0xA3, 1, 0x61, 0x40], .malformed),
            ([0, 0x53, 0x74, 0xC1, 1, 200], .malformed), ([0, 0x53, 0x74, 0xC1, 0], .malformed),
            ([0, 0x53, 0x77, 0x3F], .malformed), ([0, 0x53, 0x77, 0x46], .malformed),
            ([0, 0x53, 0x77] + [UInt8](repeating: 0, count: 200), .malformed),
        ]
        for row in rows {
            #expect(throws: row.error, "\(row.bytes)") { try decode(row.bytes) }
        }
    }

    @Test("every cut of a message is refused or a whole number of sections")
    func cuts() throws {
        var encoder = AMQP10Encoder()
        encoder.encode(message("text", headers: [("subject", "s"), ("k", "v"), ("group-sequence", "3")]))
        let whole = encoder.bytes
        for count in 0..<whole.count {
            // Between two sections a cut is a shorter message; everywhere else it must not pass for one.
            if let decoded = try? decode(Array(whole[..<count])) { #expect(decoded.payload == nil) }
        }
    }

    @Test("each property has its header; zeros and what is no text are left out")
    func standardProperties() throws {
        let time: [UInt8] = [0x83, 0, 0, 0, 0, 0, 0, 0, 5]
        let bytes = properties(
            [0x53, 9], [0xA0, 1, 0x75], string("t"), string("s"), string("r"), [0x98] + (0..<16), [0xA3, 1, 0x63],
            [0xA3, 1, 0x65], time, [0x83, 0, 0, 0, 0, 0, 0, 0, 0], string("g"), [0x43], string("rg"))
        let headers = try decode(bytes).headers.map { "\($0.name)=\($0.value)" }
        #expect(
            headers == [
                "message-id=9", "user-id=u", "to=t", "subject=s", "reply-to=r",
                "correlation-id=00010203-0405-0607-0809-0a0b0c0d0e0f", "content-type=c", "absolute-expiry-time=5",
                "group-id=g", "reply-to-group-id=rg",
            ])
    }

    @Test("application properties are texts, collisions are marked, annotations are prefixed, nests are skipped")
    func freeProperties() throws {
        let entries: [UInt8] =
            string("a") + [0x42] + string("subject") + string("own") + string("f") + [0x72, 0x3F, 0x80, 0, 0]
            + string("n") + [0x40] + string("l") + [0x45] + string("c") + [0x73, 0, 1, 0xF6, 0]
        let map: [UInt8] = [0, 0x53, 0x74, 0xC1, UInt8(entries.count + 1), 12] + entries
        let note: [UInt8] = [0, 0x53, 0x72, 0xC1, 6, 2, 0xA3, 1, 0x78, 0x55, 3]
        let decoded = try decode(note + map)
        #expect(
            decoded.headers.map { "\($0.name)=\($0.value)" } == [
                "amqp.message.annotation:x=3", "a=false", "amqp.application.property:subject=own", "f=1.0", "c=😀",
            ])
        #expect(decoded.skippedCount == 1)
    }

    @Test("what is written is read as it was, with long texts too; what a property cannot take is left out")
    func written() throws {
        let long = String(repeating: "ä", count: 300)
        let headers: [(name: String, value: String)] = [
            ("message-id", "m"), ("content-type", "text/plain"), ("creation-time", "12"), ("group-sequence", "4"),
            ("k", long),
            ("amqp.message.annotation:n", "v"), ("amqp.application.property:to", "x"),
        ]
        var encoder = AMQP10Encoder()
        encoder.encode(message(long, headers: headers))
        #expect(try payload(encoder.bytes) == Array(long.utf8))
        let read = try decode(encoder.bytes).headers
        #expect(Set(read.map { "\($0.name)=\($0.value)" }) == Set(headers.map { "\($0.name)=\($0.value)" }))
        encoder.encode(
            message(
                "",
                headers: [
                    ("creation-time", "soon"), ("group-sequence", "-1"), ("content-type", "tëxt"), ("k", "1"),
                    ("k", "2"),
                ]))
        #expect(try decode(encoder.bytes).headers.map { "\($0.name)=\($0.value)" } == ["k=2"])
        #expect(try payload(encoder.bytes).isEmpty)
    }

    private func message(_ text: String, headers: [(name: String, value: String)]) -> OutboundMessage {
        OutboundMessage(address: "a", payload: Array(text.utf8), qos: 1, headers: headers, target: nil, queuedAt: 0)
    }
}
