import Testing
import TwinspanConnections

@testable import TwinspanMQTT

@Suite("intake of received messages")
struct IntakeTests {
    @Test("the batch is full at its messages and at its bytes, and empty again after the turn")
    func limits() {
        let intake = Intake(subscriptions: [.init(filters: ["#"], qos: 1)], limits: (messages: 2, bytes: 10))
        receive("a", [1], intake)
        #expect(!intake.isFull && intake.batch.count == 1)
        receive("b", [2], intake)
        #expect(intake.isFull)
        intake.removeAll()
        #expect(!intake.isFull && intake.batch.isEmpty)
        receive("a", Array(repeating: 0, count: 9), intake)
        #expect(intake.isFull)
    }

    @Test("a source takes a message once, however many of its filters admit it")
    func oncePerSource() {
        let intake = Intake(
            subscriptions: [
                .init(filters: ["a", "+", "#"], qos: 1), .init(filters: ["b"], qos: 1), .init(filters: ["a"], qos: 0),
            ],
            limits: (messages: 10, bytes: 1000))
        receive("a", [], intake)
        #expect(intake.batch.messages.map(\.source) == [0, 2])
    }

    @Test("the first topic without a source is reported once")
    func unmatched() {
        let intake = Intake(subscriptions: [.init(filters: ["a"], qos: 1)], limits: (messages: 10, bytes: 1000))
        receive("x", [], intake)
        receive("y", [], intake)
        #expect(intake.takeUnmatchedTopic() == "x")
        receive("z", [], intake)
        #expect(intake.takeUnmatchedTopic() == nil && intake.batch.isEmpty)
    }

    @Test(
        "the length of a packet is that on the wire",
        arguments: [(1, 0, 0, 5), (1, 0, 1, 7), (1, 122, 1, 129), (1, 123, 1, 131), (10, 16_369, 1, 16_386)]
            as [(Int, Int, UInt8, Int)])
    func packetLength(topic: Int, payload: Int, qos: UInt8, length: Int) {
        #expect(Intake.packetLength(topic: topic, payload: payload, qos: qos) == length)
    }

    private func receive(_ topic: String, _ payload: [UInt8], _ intake: Intake) {
        Array(topic.utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { intake.receive(topic: topic, payload: $0, qos: 1, isRetained: false) }
        }
    }
}
