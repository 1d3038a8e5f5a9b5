// Whether the service is ready, and if not, why and what to do (issue: /ready).
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON

/// The reasons against readiness; ready when there are none.
struct Readiness: Sendable, Equatable {
    let reasons: [String]

    init(_ condition: EngineCondition, _ connections: [ConnectionSnapshot]) {
        var reasons: [String] = []
        if let reason = Self.reason(condition) { reasons.append(reason) }
        for connection in connections where connection.isRequired && connection.state != .open {
            reasons.append(Self.reason(connection))
        }
        self.reasons = reasons
    }

    var isReady: Bool { reasons.isEmpty }

    /// `{"status":"UP"}`, or `{"status":"DOWN","reasons":["…"]}`.
    var json: JSONValue {
        isReady
            ? ["status": "UP"]
            : .object(JSONObject([("status", "DOWN"), ("reasons", .array(reasons.map { .string($0) }))]))
    }

    private static func reason(_ condition: EngineCondition) -> String? {
        switch condition {
        case .open: nil
        case .starting: "The store is being opened."
        case .stopped: "The service is shutting down."
        case .closed(let failure):
            sentence("The store does not accept changes: \(failure.description)", hint: failure.hint)
        }
    }

    private static func reason(_ connection: ConnectionSnapshot) -> String {
        let what = "The connection '\(connection.id)' to \(connection.uri) is \(connection.state.rawValue)"
        guard let failure = connection.failure else { return what + "." }
        return sentence("\(what) (step \(failure.step.rawValue)): \(failure.message)", hint: failure.hint)
    }

    private static func sentence(_ text: String, hint: String?) -> String {
        let closed = text.hasSuffix(".") ? text : text + "."
        return hint.map { "\(closed) \($0)" } ?? closed
    }
}
