// What the ends of connections mean.
import Testing
import TwinspanConnections

@testable import TwinspanAMQP091

@Suite("AMQP 0.9.1 failures")
struct AMQP091FailureTests {
    @Test(
        "every end of a connection asks for its reaction",
        arguments: [
            (RabbitMQStatus.heartbeatTimeout, "keep-alive", BrokerFailure.Reaction.retryNow),
            (.connectionClosed, "connection-lost", .retryNow), (.socketClosed, "connection-lost", .retryNow),
            (.socketError, "connection-lost", .retryNow), (.timeout, "timeout", .retryNow),
            (.badData, "protocol", .retryNow), (.outOfMemory, "library", .fatal),
        ])
    func lost(_ status: RabbitMQStatus, _ reason: String, _ reaction: BrokerFailure.Reaction) {
        let failure = AMQP091Failure.lost(status, step: .serve)
        #expect(failure.reason == reason && failure.reaction == reaction && failure.hint != nil)
    }

    @Test("a broker that closes connections says whether waiting helps")
    func closed() {
        for (code, reaction) in [(320, BrokerFailure.Reaction.backOff), (541, .backOff), (504, .misconfigured)] {
            let failure = AMQP091Failure.closed(code: code, text: "WORDS", step: .serve)
            #expect(failure.reaction == reaction && failure.message.contains("WORDS"))
        }
    }
}
