import Testing
import TwinspanConnections
import TwinspanNetwork

@Suite("network failures")
struct NetworkFailureTests {
    @Test("every timeout says which step it was and what to check", arguments: SessionStep.allCases)
    func timeouts(step: SessionStep) {
        let failure = NetworkFailure.timeout(at: step, peer: "h:1", after: .seconds(10), speaking: "MQTT")
        #expect(failure.reason == "timeout" && failure.reaction == .backOff && failure.hint != nil)
    }
}
