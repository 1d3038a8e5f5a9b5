import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanNetwork

@Suite("Blocked hosts")
struct BlockedHostTests {
    @Test("are not dialled, whatever their name resolves to")
    func dialling() throws {
        let rows: [(rules: HostRules, reason: String?)] = [
            (.none, nil), (try HostRules(subnets: ["192.0.2.0/24"]), nil),
            (try HostRules(subnets: ["127.0.0.0/8", "::1/128"]), "is in a blocked subnet"),
            (try HostRules(regex: "local.*"), "a blocked pattern"),
            (try HostRules(blocked: ["localhost"]), "an internal one"),
            (try HostRules(allowed: ["localhost"], blocked: ["localhost"]), nil),
        ]
        for row in rows { try dial(row.rules, row.reason) }
    }

    private func dial(_ rules: HostRules, _ reason: String?) throws {
        let listener = try LoopbackListener()
        var endpoint = Endpoint(host: "localhost", port: listener.port)
        endpoint.hosts = rules
        let dialler = NetworkDialler(endpoint, speaking: "anything", timeout: .seconds(5))
        let wake = try #require(WakeSignal())
        let outcome = dialler.probe(
            until: .after(.seconds(5)), control: SessionControl(), wake: wake, observer: TestObserver())
        switch outcome {
        case .reached: #expect(reason == nil)
        case .stopped: Issue.record("stopped")
        case .failed(let failure):
            #expect(failure.reason == "blocked-host" && failure.reaction == .misconfigured)
            #expect(failure.message.contains(reason ?? "nothing"), "\(failure)")
        }
    }
}
