import Glibc
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// A source of tests.
func source(
    subjects: [String] = ["test:owner"], input: String? = nil, filters: [String] = [],
    mapping: [(String, String)] = [], replyTo: String? = "replies",
    types: Set<ReplyTarget.ResponseType> = [.response, .error, .nack], acks: [String]? = nil, ackFilter: String? = nil
) throws -> Source {
    Source(
        addresses: ["in/#"], authorizationContext: try subjects.map { try template($0, .sourceAuthorization) },
        enforcement: try input.map { input in
            Enforcement(
                input: try template(input, input.contains("header") ? .enforcementInput : .mqttEnforcementInput),
                filters: try filters.map { try template($0, .enforcementFilter) })
        },
        headerMapping: try mapping.map { HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping)) },
        replyTarget: try replyTo.map {
            ReplyTarget(address: try template($0, .address), expectedResponseTypes: types)
        },
        acknowledgementRequests: try acks.map { acks in
            AcknowledgementRequests(
                includes: try acks.map { try AckLabel($0) },
                filter: try ackFilter.map { try PipelineExpression.parse($0, scope: .acknowledgementFilter) })
        })
}

/// An envelope of any topic.
func envelope(
    _ topic: String, _ path: String, _ rest: String = "", headers: String = #"{"correlation-id":"c"}"#
) -> String {
    #"{"topic":"\#(topic)","headers":\#(headers),"path":"\#(path)"\#(rest)}"#
}

extension PipelineRig {
    /// Takes a batch through a pipeline and settles it.
    @discardableResult
    func settle(_ side: InboundSide, _ batch: MessageBatch) -> Settlement {
        let ticket = side.pipeline.accept(batch)
        let settlement = side.pipeline.settlement(of: ticket, patience: .seconds(20))
        side.pipeline.settled(batch, as: settlement)
        return settlement
    }

    /// Waits until something holds that another thread does.
    func await(_ what: String, _ isMet: () throws -> Bool) throws {
        for _ in 0..<2_000 {
            if try isMet() { return }
            usleep(5_000)
        }
        throw ScenarioFailure("\(what): never; \(counts), waiting \(counters.waiting)")
    }

    /// The committed inbox and dead letters.
    func inbox() throws -> [InboxMessage] {
        rig.engine.commitSoon()
        return try rig.engine.inbox(of: try ConnectionID("c1"))
    }

    func deadLetters() throws -> [DeadLetter] {
        try rig.engine.deadLetters(DeadLetterQuery())
    }

    /// Lets time pass for deadlines and the inbox.
    func advance(_ duration: Duration, _ side: InboundSide) {
        rig.clock.advance(by: duration)
        rig.engine.live.expireDue()
        side.inbox.wake()
    }
}
