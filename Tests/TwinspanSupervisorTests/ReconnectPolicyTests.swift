import Testing
import TwinspanConnections

@testable import TwinspanSupervisor

@Suite("ReconnectPolicy")
struct ReconnectPolicyTests {
    @Test("waits double from a second to a minute, spread by the jitter")
    func backOff() {
        var policy = ReconnectPolicy()
        let waits = (0..<9).map { _ in policy.delay(after: .backOff, openFor: nil, jitter: 0.5) }
        #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
        #expect(policy.delay(after: .backOff, openFor: nil, jitter: 0) == .seconds(48))
        let longest = policy.delay(after: .backOff, openFor: nil, jitter: 1) ?? .zero
        #expect(abs(longest / .seconds(1) - 72) < 0.001)
    }

    @Test("a lost connection is tried again almost at once, but only the first time")
    func retryNow() {
        var policy = ReconnectPolicy()
        #expect(policy.delay(after: .retryNow, openFor: nil, jitter: 0) == .milliseconds(50))
        #expect(policy.delay(after: .retryNow, openFor: .seconds(9), jitter: 0.5) == .seconds(2))
        #expect(policy.delay(after: .retryNow, openFor: .seconds(10), jitter: 1) == .milliseconds(150))
        #expect(policy.delay(after: .backOff, openFor: nil, jitter: 0.5) == .seconds(2))
    }

    @Test("a connection that was healthy starts over")
    func healthy() {
        var policy = ReconnectPolicy()
        for _ in 0..<20 { _ = policy.delay(after: .backOff, openFor: nil, jitter: 0.5) }
        #expect(policy.delay(after: .backOff, openFor: .seconds(10), jitter: 0.5) == .seconds(1))
    }

    @Test("messages that were given back are asked for again after a second, however often")
    func awaitIntake() {
        var policy = ReconnectPolicy()
        for _ in 0..<20 { _ = policy.delay(after: .backOff, openFor: nil, jitter: 0.5) }
        for _ in 0..<3 { #expect(policy.delay(after: .awaitIntake, openFor: nil, jitter: 0.5) == .seconds(1)) }
        #expect(policy.delay(after: .backOff, openFor: nil, jitter: 0.5) == .seconds(2))
    }

    @Test("what a person must change is tried slowly, what is broken inside not at all")
    func others() {
        var policy = ReconnectPolicy()
        #expect(policy.delay(after: .misconfigured, openFor: nil, jitter: 0.5) == .seconds(60))
        #expect(policy.delay(after: .fatal, openFor: nil, jitter: 0.5) == nil)
        #expect(policy.delay(after: .fatal, openFor: .seconds(100), jitter: 0.5) == nil)
    }
}
