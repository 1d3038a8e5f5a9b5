// Paths of the management of connections and of the service itself (spec/connectivity.md §8.1, §8.2). All of them
// belong to the devops user.
import HTTPTypes
import TwinspanProtocol

/// A path below `/api/2/connections` or `/devops`.
enum ManagementRoute: Sendable, Equatable {
    /// `/api/2/connections`.
    case connections
    case connection(id: String)
    case command(id: String)
    case report(id: String, Report)
    /// `/devops/piggyback[/{service}[/{instance}]]`.
    case piggyback(service: String?)
    /// Ours, below `/devops/twinspan`.
    case status
    case tap(id: String)
    case deadLetters
    case deadLetter(id: Int64)
    case retry(id: Int64)
    /// Ours: `/devops/policies/explain`.
    case explanation

    /// What is told about a connection.
    enum Report: String, Sendable, CaseIterable { case status, metrics, logs }

    /// Throws 404 for a path that addresses nothing.
    init(_ target: RequestTarget) throws(TwinspanError) {
        if target.isSegment(0, "devops") {
            self = try Self.devops(target)
        } else if target.isAtEnd(3) {
            self = .connections
        } else {
            guard !target.isEmpty(3) else { throw HTTPErrors.routeNotFound }
            let id = try target.segment(3)
            if target.isAtEnd(4) {
                self = .connection(id: id)
            } else if target.count == 5, target.isSegment(4, "command") {
                self = .command(id: id)
            } else if target.count == 5, let report = Report(rawValue: target.raw(4)) {
                self = .report(id: id, report)
            } else {
                throw HTTPErrors.routeNotFound
            }
        }
    }

    private static func devops(_ target: RequestTarget) throws(TwinspanError) -> ManagementRoute {
        if target.isSegment(1, "piggyback"), target.count <= 4 {
            return .piggyback(service: target.isAtEnd(2) ? nil : try target.segment(2))
        }
        if target.isSegment(1, "policies"), target.isSegment(2, "explain"), target.isAtEnd(3) { return .explanation }
        guard target.isSegment(1, "twinspan") else { throw HTTPErrors.routeNotFound }
        if target.isSegment(2, "status"), target.isAtEnd(3) { return .status }
        if target.isSegment(2, "connections"), target.count == 5, target.isSegment(4, "tap"), !target.isEmpty(3) {
            return .tap(id: try target.segment(3))
        }
        guard target.isSegment(2, "deadletters") else { throw HTTPErrors.routeNotFound }
        if target.isAtEnd(3) { return .deadLetters }
        guard let id = Int64(target.raw(3)), id > 0 else { throw HTTPErrors.routeNotFound }
        if target.isAtEnd(4) { return .deadLetter(id: id) }
        guard target.isSegment(4, "retry"), target.isAtEnd(5) else { throw HTTPErrors.routeNotFound }
        return .retry(id: id)
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .connections: [.get, .post]
        case .connection: [.get, .put, .delete]
        case .command, .piggyback, .retry: [.post]
        case .report, .status, .tap, .explanation: [.get]
        case .deadLetters, .deadLetter: [.get, .delete]
        }
    }
}
