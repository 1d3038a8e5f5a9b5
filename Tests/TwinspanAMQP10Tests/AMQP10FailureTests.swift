// What the library and brokers say, and what it means.
import Testing
import TwinspanConnections

@testable import TwinspanAMQP10

@Suite("AMQP 1.0 failures")
struct AMQP10FailureTests {
    private func situation(_ step: SessionStep) -> AMQP10Failure.Situation {
        AMQP10Failure.Situation(step: step, peer: "broker:5672", user: "u", mechanism: "PLAIN")
    }

    @Test("each condition has its reason and its reaction")
    func ends() {
        let rows: [(name: String, text: String, step: SessionStep, reason: String, reaction: BrokerFailure.Reaction)] =
            [
                (
                    "amqp:unauthorized-access", "Authentication failed [mech=PLAIN]", .authenticate, "bad-credentials",
                    .misconfigured
                ),
                (
                    "amqp:unauthorized-access", "Authentication failed [mech=none]", .authenticate, "not-authorised",
                    .misconfigured
                ),
                ("amqp:unauthorized-access", "Access refused", .subscribe, "not-authorised", .misconfigured),
                (
                    "amqp:connection:framing-error", "Expected SASL protocol header got: Unknown protocol",
                    .authenticate,
                    "protocol", .misconfigured
                ),
                (
                    "amqp:connection:framing-error", "no protocol header found (connection aborted)", .authenticate,
                    "connection-lost", .backOff
                ),
                ("amqp:connection:framing-error", "connection aborted", .serve, "connection-lost", .retryNow),
                ("amqp:connection:framing-error", "bad frame", .serve, "protocol", .backOff),
                ("amqp:resource-limit-exceeded", "local-idle-timeout expired", .serve, "keep-alive", .retryNow),
                ("amqp:connection:forced", "bye", .serve, "connection-lost", .retryNow),
                ("amqp:connection:redirect", "", .serve, "redirected", .misconfigured),
                ("amqp:not-found", "no host", .authenticate, "connect-refused", .misconfigured),
                ("x:unknown", "", .serve, "connection-lost", .backOff),
            ]
        for row in rows {
            let end = ProtonConnection.End.broken(ProtonCondition(name: row.name, text: row.text))
            let failure = AMQP10Failure.ended(end, situation(row.step))
            #expect(failure.reason == row.reason && failure.reaction == row.reaction, "\(row): \(failure)")
            #expect(failure.hint != nil && failure.message.hasSuffix("."), "\(failure)")
        }
    }

    @Test("links of sources and targets fail in their own words")
    func links() {
        let rows: [(name: String?, reaction: BrokerFailure.Reaction)] = [
            ("amqp:not-found", .misconfigured), ("amqp:resource-deleted", .misconfigured),
            ("amqp:unauthorized-access", .misconfigured), ("amqp:invalid-field", .misconfigured),
            ("amqp:precondition-failed", .misconfigured), ("amqp:link:redirect", .misconfigured),
            ("amqp:internal-error", .backOff), ("amqp:link:detach-forced", .backOff), (nil, .backOff),
        ]
        for row in rows {
            for isSource in [true, false] {
                let failure = AMQP10Failure.link(
                    row.name.map { ProtonCondition(name: $0, text: "t") }, AMQP10Address("a"), isSource: isSource,
                    source: isSource ? 2 : nil)
                #expect(failure.reaction == row.reaction && failure.sourceIndex == (isSource ? 2 : nil), "\(row)")
                #expect(failure.message.contains("'a'") && failure.hint != nil, "\(failure)")
            }
        }
    }
}
