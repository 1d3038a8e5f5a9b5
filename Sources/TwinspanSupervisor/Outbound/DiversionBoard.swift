// Answers that another connection publishes (spec/connectivity.md §7.4): the connections of this process that take
// them, and what the two sides say in their `specificConfig`.
import Synchronization
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// An answer that another connection is to publish.
struct DivertedAnswer: Sendable {
    var envelope: Envelope
    /// Headers of the command, for placeholders that the answer has no value for.
    var commandHeaders: DittoHeaders
    /// Where the command came from: connection and index of its source.
    var origin: ConnectionID
    var source: Int
}

/// A running connection that publishes answers of others.
protocol DiversionTarget: AnyObject, Sendable {
    /// Takes an answer to publish it later; from any thread, returns at once.
    func takeDiverted(_ answer: DivertedAnswer)
}

/// The running connections that publish answers of others. Safe from any thread.
final class DiversionBoard: Sendable {
    private let targets = Mutex<[ConnectionID: any DiversionTarget]>([:])

    func add(_ target: any DiversionTarget, as id: ConnectionID) {
        targets.withLock { $0[id] = target }
    }

    func remove(_ id: ConnectionID) {
        _ = targets.withLock { $0.removeValue(forKey: id) }
    }

    /// Hands an answer over; false when no such connection runs.
    func divert(_ answer: DivertedAnswer, to id: ConnectionID) -> Bool {
        guard let target = targets.withLock({ $0[id] }) else { return false }
        target.takeDiverted(answer)
        return true
    }
}

extension Connection {
    /// Whether answers to its commands may go out by another connection.
    var isDiversionSource: Bool { specificConfig["is-diversion-source"] == "true" }
    /// Whether they go out by its own reply target as well.
    var preservesNormalResponse: Bool { specificConfig["preserve-normal-response-via-source"] == "true" }
    /// Whether it publishes answers to commands of other connections.
    var isDiversionTarget: Bool { specificConfig["is-diversion-target"] == "true" }
    /// The connections whose answers it publishes.
    var authorizedDiversionSources: Set<String> {
        Set((specificConfig["authorized-connections-as-sources"] ?? "").split(separator: ",").map(\.withoutBlanks))
    }
}

/// Where an answer wants to go, and whether it may.
struct Diversion {
    let target: ConnectionID

    /// Nil when the answer goes the normal way: nothing was asked for, or it is for the connection itself, has been
    /// diverted before, is of another type, or the connection diverts nothing.
    init?(_ answer: Answer, from connection: Connection) {
        guard connection.isDiversionSource else { return nil }
        let headers = answer.envelope.headers
        let command = answer.commandHeaders
        guard let wish = (headers[.divertResponseToConnection] ?? command[.divertResponseToConnection])?.string,
            headers[.divertedResponseFromConnection] == nil, command[.divertedResponseFromConnection] == nil
        else { return nil }
        let types = (headers[.divertExpectedResponseTypes] ?? command[.divertExpectedResponseTypes])?.string
        let wanted = types?.split(separator: ",").map { $0.withoutBlanks.lowercased() } ?? ["response", "error"]
        // An id that is none cannot run here; the sender's header is no reason to lose the answer.
        guard wanted.contains(answer.type.rawValue), let target = try? ConnectionID(wish), target != connection.id
        else { return nil }
        self.target = target
    }
}

extension Substring {
    fileprivate var withoutBlanks: String {
        let start = drop { $0 == " " }
        let count = start.reversed().prefix { $0 == " " }.count
        return String(start.dropLast(count))
    }
}
