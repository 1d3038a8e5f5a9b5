import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Answers leave only when what they depend on is committed.
@Suite("Answers depend on commits")
struct CommitDependencyTests {
    @Test("every answer over an uncommitted state waits for it; answers over committed states do not")
    func pending() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:old")
        try fixture.make("n:t")
        rig.store.state.update { $0.isBlocked = true }
        let change = try rig.send(.modify, "n:t", "/attributes/a", "2")
        let dependent = [
            try rig.send(.retrieve, "n:t", "/attributes/a"),
            // Also what a state refuses depends on that state: 404, 412, 409, 403.
            try rig.send(.retrieve, "n:t", "/attributes/none"),
            try rig.send(.modify, "n:t", "/attributes/a", "3", headers: ["condition": "eq(attributes/a,1)"]),
            try rig.send(.modify, "n:t", "/", "{}", headers: ["if-match": "\"rev:1\""]),
            try rig.send(.create, "n:t", "/", "{}"),
            try rig.send(.modify, "n:t", "/attributes/a", "3", as: AuthorizationContext(["test:stranger"])),
        ]
        let deletion = try rig.send(.delete, "n:t")
        let gone = try rig.send(.retrieve, "n:t")
        #expect(throws: TwinspanError.self) { try gone.result.get() }
        let free = try rig.send(.retrieve, "n:old", "/attributes/a")

        #expect(rig.engine.gate.outcome(of: free.ticket) == .committed)
        for outcome in [change, deletion, gone] + dependent {
            #expect(rig.engine.gate.outcome(of: outcome.ticket) == .pending)
            #expect(rig.engine.gate.wait(for: outcome.ticket, patience: .milliseconds(1)) == .pending)
        }
        #expect(gone.ticket.sequence == deletion.ticket.sequence)
        #expect(fixture.published(1, within: 20).isEmpty)
        rig.store.state.update { $0.isBlocked = false }
        for outcome in [change, deletion, gone] + dependent {
            #expect(rig.engine.gate.wait(for: outcome.ticket, patience: .seconds(10)) == .committed)
        }
        #expect(fixture.published(2).map(\.action) == [.modified, .deleted])
    }

    @Test("an answer under an uncommitted policy waits for the policy")
    func policy() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try rig.policy(.create, "n:policy", Sample.policy())
        try fixture.make("n:t", Sample.guarded)
        rig.store.state.update { $0.isBlocked = true }
        let command = PolicyCommand(
            policyID: try PolicyID("n:policy"), action: .modify,
            value: JSONText(try json(Sample.policy([("test:b", ["thing:/": "R"])]))))
        let changed = rig.engine.execute(command, as: EngineRig.owner)
        rig.engine.commitSoon()
        let read = try rig.send(.retrieve, "n:t", as: AuthorizationContext(["test:b"]))
        let refused = try rig.send(.retrieve, "n:t", as: AuthorizationContext(["test:c"]))
        let made = try rig.send(.create, "n:u", "/", #"{"policyId":"n:policy"}"#, as: AuthorizationContext(["test:b"]))
        for ticket in [changed.ticket, read.ticket, refused.ticket, made.ticket] {
            #expect(rig.engine.gate.outcome(of: ticket) == .pending)
        }
        rig.store.state.update { $0.isBlocked = false }
        try rig.awaitCommit(read.ticket)
    }

    @Test("callbacks are called once, at once when the outcome is known")
    func callbacks() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:t")
        rig.store.state.update { $0.isBlocked = true }
        let change = try rig.send(.modify, "n:t", "/attributes/a", "2")
        let calls = Watched<[CommitOutcome]>([])
        rig.engine.gate.whenKnown(change.ticket) { outcome in calls.update { $0.append(outcome) } }
        #expect(calls.current.isEmpty)
        rig.store.state.update { $0.isBlocked = false }
        #expect(calls.wait(5) { $0 == [.committed] })
        rig.engine.gate.whenKnown(change.ticket) { outcome in calls.update { $0.append(outcome) } }
        #expect(calls.current == [.committed, .committed])
    }

    @Test("a ticket of an epoch that nobody knows is rejected")
    func unknownEpoch() throws {
        let fixture = try EngineFixture()
        let gate = fixture.rig.engine.gate
        #expect(gate.outcome(of: CommitTicket(sequence: .max, epoch: -1)) == .rejected)
        #expect(gate.wait(for: CommitTicket(sequence: .max, epoch: -1), patience: .seconds(5)) == .rejected)
    }
}
