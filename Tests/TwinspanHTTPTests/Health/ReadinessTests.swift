import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON

@testable import TwinspanHTTP

@Suite("Readiness")
struct ReadinessTests {
    private let refused = BrokerFailure(
        step: .connect, reaction: .backOff, reason: "refused", message: "Connection refused.", hint: "Start the broker."
    )

    @Test(
        "a store that is not open is a reason",
        arguments: [
            (EngineCondition.open, nil as String?),
            (.starting, "The store is being opened."),
            (.stopped, "The service is shutting down."),
            (
                .closed(StoreFailure(kind: .full, description: "the disk is full", hint: "Free some space.")),
                "The store does not accept changes: the disk is full. Free some space."
            ),
            (
                .closed(StoreFailure(kind: .other, description: "it broke.")),
                "The store does not accept changes: it broke."
            ),
        ])
    func store(_ row: (condition: EngineCondition, reason: String?)) {
        #expect(Readiness(row.condition, []).reasons == (row.reason.map { [$0] } ?? []))
    }

    @Test("a required connection that is not open is a reason; others are not")
    func connections() throws {
        let readiness = Readiness(
            .open,
            [
                try snapshot("up"), try snapshot("optional", state: .failed, failure: refused, isRequired: false),
                try snapshot("down", state: .failed, failure: refused), try snapshot("new", state: .connecting),
            ])
        #expect(
            readiness.reasons == [
                "The connection 'down' to tcp://localhost:1883 is failed (step connect): Connection refused. "
                    + "Start the broker.",
                "The connection 'new' to tcp://localhost:1883 is connecting.",
            ])
    }

    @Test("/health and /ready need no authentication", arguments: Way.allCases)
    func served(_ way: Way) async throws {
        try await withDoor(way) { door in
            try await Row("GET", "/health", user: nil, gives: 200, body: #"{"status":"UP"}"#).check(door)
            try await Row("GET", "/ready", user: nil, gives: 200, body: #"{"status":"UP"}"#).check(door)
            for path in ["/health/", "/ready/", "/metrics/", "/health/x", "//health", "/Health"] {
                try await Row("GET", path, user: nil, gives: 404, "gateway:route.notfound").check(door)
            }
            try await Row("POST", "/health", user: nil, gives: 405, with: [("allow", "GET")]).check(door)
            door.directory.set([try snapshot("down", state: .misconfigured, failure: refused)])
            let answer = try await door(Ask("GET", "/ready", user: nil))
            #expect(answer.status == 503)
            #expect(answer["content-type"] == "application/json")
            #expect(answer.json?.object?["status"] == "DOWN")
            #expect(answer.json?.object?["reasons"]?.array?.first?.string?.contains("'down'") == true)
        }
    }
}
