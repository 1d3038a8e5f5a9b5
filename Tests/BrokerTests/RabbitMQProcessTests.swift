// The RabbitMQ of the tests itself: what it keeps over a restart, and that nothing is left behind.
import Foundation
import Testing
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "the RabbitMQ of the tests", .serialized,
        .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"))
    struct RabbitMQProcessTests {
        @Test("messages with headers of every type come out as they were put in, and survive stop and kill")
        func durability() throws {
            var settings = RabbitMQProcess.Settings()
            settings.vhosts = ["a/b"]
            settings.users = ["device": "secret"]
            let broker = try RabbitMQProcess(settings)
            try broker.declareQueue("q")
            try broker.declareExchange("x")
            try broker.bind(queue: "q", exchange: "x", key: "k")
            let sent = RawAMQP091Client.Message(
                Array("text".utf8), contentType: "text/plain",
                headers: [
                    ("bool", .bool(true)), ("int8", .int8(-1)), ("int16", .int16(-2)), ("int32", .int32(-3)),
                    ("int64", .int64(.min)), ("float", .float(0.5)), ("double", .double(-1.25)),
                    ("decimal", .decimal(314, scale: 2)), ("text", .text("ä")), ("bytes", .bytes([0, 255])),
                    ("timestamp", .timestamp(1)), ("array", .array([.text("a"), .bool(false)])),
                    ("table", .table(["in": .int32(1)])), ("void", .void),
                ], correlationID: "c", replyTo: "r", messageID: "m")
            try broker.publish([sent, .init([1]), .init([])], exchange: "x", key: "k")
            broker.stop()
            try broker.start()
            #expect(try broker.messageCount("q") == 3)
            broker.kill()
            try broker.start()
            #expect(try broker.get("q") == sent)
            #expect(try broker.get("q")?.body == [1])
            #expect(try broker.messageCount("q") == 1)
            try broker.purge("q")
            #expect(try broker.get("q") == nil)
            let other = try RawAMQP091Client(port: broker.port, user: "device", password: "secret", vhost: "a/b")
            #expect(throws: ScenarioFailure.self) { try other.messageCount("q") }
            #expect(throws: ScenarioFailure.self) { try RawAMQP091Client(port: broker.port, vhost: "none") }
        }
    }
}
