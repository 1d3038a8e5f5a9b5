import Testing
import TwinspanConnections

@testable import TwinspanMQTT

@Suite("MQTT failures")
struct MQTTFailureTests {
    @Test(
        "each library code has its reason and reaction once a connection stood",
        arguments: [
            (.connectionLost, "connection-lost", .retryNow), (.notConnected, "connection-lost", .retryNow),
            (.systemError, "connection-lost", .retryNow), (.success, "connection-lost", .retryNow),
            (.keepAlive, "keep-alive", .retryNow), (.protocolError, "protocol", .backOff),
            (.malformedPacket, "protocol", .backOff), (.malformedUTF8, "protocol", .backOff),
            (.payloadSize, "protocol", .backOff), (.connectionRefused, "protocol", .backOff),
            (.tls, "tls", .backOff), (.outOfMemory, "library", .fatal), (.invalid, "library", .fatal),
            (.notSupported, "library", .fatal), (.unknown, "library", .backOff),
            (MosquittoCode(rawValue: 9999), "library", .backOff),
        ] as [(MosquittoCode, String, BrokerFailure.Reaction)])
    func lost(code: MosquittoCode, reason: String, reaction: BrokerFailure.Reaction) {
        let failure = MQTTFailure.lost(code, step: .serve, text: nil)
        #expect(failure.reason == reason && failure.reaction == reaction && failure.step == .serve)
        #expect(failure.hint != nil && failure.message.hasSuffix("."))
    }

    @Test(
        "each code of the library's connect has its step and reaction",
        arguments: [
            (.systemError, "refused", .connect, .backOff), (.nameResolution, "unresolved", .resolve, .backOff),
            (.tls, "tls", .tls, .misconfigured), (.invalid, "invalid-setting", .connect, .misconfigured),
            (.outOfMemory, "library", .connect, .fatal), (.connectionLost, "connection-lost", .connect, .retryNow),
        ] as [(MosquittoCode, String, SessionStep, BrokerFailure.Reaction)])
    func connect(code: MosquittoCode, reason: String, step: SessionStep, reaction: BrokerFailure.Reaction) {
        let failure = MQTTFailure.connect(code, peer: "h:1", text: "words of the library", errorNumber: 111)
        #expect(failure.reason == reason && failure.step == step && failure.reaction == reaction)
    }

    @Test("every code of the library has words of ours", arguments: 0...31)
    func phrases(code: Int) {
        #expect(!MosquittoCode(rawValue: Int32(code)).phrase.contains("Unknown"))
    }

    @Test("three early ends in a row are a takeover; a long life or another failure is not")
    func takeover() {
        let lost = MQTTFailure.lost(.connectionLost, step: .serve, text: nil)
        var watch = TakeoverWatch()
        func reason(_ failure: BrokerFailure, _ age: Duration?) -> String {
            watch.note(failure, age: age, clientID: "c").reason
        }
        #expect(reason(lost, .seconds(1)) == "connection-lost")
        #expect(reason(lost, .seconds(1)) == "connection-lost")
        #expect(reason(lost, nil) == "connection-lost")
        #expect(reason(lost, .seconds(4)) == "taken-over")
        #expect(reason(lost, .seconds(1)) == "taken-over")
        #expect(reason(lost, .seconds(5)) == "connection-lost")
        #expect(reason(lost, .zero) == "connection-lost")
        #expect(reason(BrokerFailure.batchNotTaken, .zero) == "not-taken")
        #expect(watch.suspiciousEnds == 0)
    }
}
