// The entries of a connection's status: what its client, sources, targets and tunnel are shown as (§8.4, §8.7).
import TwinspanExpressions
import TwinspanProtocol

/// One entry of a status array.
struct StatusEntry {
    enum Kind: String { case client, source, target, ssh }

    var type: Kind
    var address: String?
    var status: ConnectionStatusJSON.Status
    /// Clients only.
    var recovery: ConnectionStatusJSON.Recovery?
    var details: String
    var since: Timestamp
}

/// All entries of one connection.
struct StatusEntries {
    private typealias Session = ConnectionStatusFacts.Session

    var clients: [StatusEntry]
    var sources: [StatusEntry] = []
    var targets: [StatusEntry] = []
    var tunnels: [StatusEntry] = []

    init(_ facts: ConnectionStatusFacts) {
        guard facts.connection.isOpen || !facts.sessions.isEmpty else {
            clients = [
                StatusEntry(
                    type: .client, status: .closed, recovery: .unknown,
                    details: "[DISCONNECTED] connection is closed",
                    since: facts.closedSince ?? Timestamp(milliseconds: 0))
            ]
            return
        }
        let client = Self.client(facts)
        // One client does the work of all that the definition asks for; each is shown as it is.
        clients = Array(repeating: client, count: max(facts.connection.clientCount, 1))
        // A connection has two client handles; what hangs on one is shown as that one is.
        let consumer = facts.sessions.first { $0.role == .consumer }.map(Self.entry) ?? client
        let publisher = facts.sessions.first { $0.role == .publisher }.map(Self.entry) ?? client
        sources = Self.sources(facts, consumer)
        targets = Self.targets(facts, publisher)
        if facts.connection.sshTunnel != nil {
            var tunnel = Self.resource(.ssh, nil, of: client, opened: "ssh tunnel established.", trouble: nil)
            // It ends its sessions, so it is not closed because of them.
            if let trouble = facts.places[.tunnel] { tunnel = Self.resource(tunnel, in: trouble) }
            tunnels = [tunnel]
        }
    }

    // MARK: Clients

    private static func client(_ facts: ConnectionStatusFacts) -> StatusEntry {
        let entries = facts.sessions.map(entry)
        guard var worst = entries.max(by: { severity($0.status) < severity($1.status) }) else {
            return StatusEntry(
                type: .client, status: .unknown, recovery: .unknown,
                details: "[INITIALIZED] connection was not started yet",
                since: facts.closedSince ?? Timestamp(milliseconds: 0))
        }
        // All of it is open only since the last of its sessions is.
        if worst.status == .open { worst.since = entries.map(\.since).max() ?? worst.since }
        return worst
    }

    private static func entry(_ session: Session) -> StatusEntry {
        let (status, recovery, details): (ConnectionStatusJSON.Status, ConnectionStatusJSON.Recovery, String) =
            switch session.state {
            case .open: (.open, .succeeded, opened(session))
            case .connecting: (.unknown, .ongoing, "CONNECTING")
            case .closed: (.closed, .unknown, "[DISCONNECTED] connection is closed")
            case .failed: (.failed, session.isRetrying ? .ongoing : .backOffLimitReached, text(session))
            case .misconfigured:
                (.misconfigured, session.isRetrying ? .ongoing : .backOffLimitReached, text(session))
            }
        return StatusEntry(type: .client, status: status, recovery: recovery, details: details, since: session.since)
    }

    private static func opened(_ session: Session) -> String {
        session.warning.map { "CONNECTED, with trouble: \(text($0.failure, at: $0.since))" } ?? "CONNECTED"
    }

    /// What happened, when, and what to do.
    private static func text(_ session: Session) -> String {
        guard let failure = session.failure else { return "Connection failed at \(session.since.iso8601)." }
        return text(failure, at: session.since)
    }

    private static func text(_ failure: BrokerFailure, at time: Timestamp) -> String {
        let hint = failure.hint.map { " → \($0)" } ?? ""
        return "\(failure.message) (step \(failure.step.rawValue), at \(time.iso8601))\(hint)"
    }

    private static func severity(_ status: ConnectionStatusJSON.Status) -> Int {
        switch status {
        case .open: 0
        case .closed: 1
        case .unknown: 2
        case .misconfigured: 3
        case .failed: 4
        }
    }

    // MARK: What hangs on a client

    private static func sources(_ facts: ConnectionStatusFacts, _ consumer: StatusEntry) -> [StatusEntry] {
        facts.connection.sources.enumerated().flatMap { index, source -> [StatusEntry] in
            func entry(_ address: String, of addresses: [String]) -> StatusEntry {
                let troubles = addresses.compactMap { facts.places[.source(index, address: $0)] }
                return resource(
                    .source, address, of: consumer, opened: "Consumer started.", trouble: troubles.first)
            }
            // MQTT 3 subscribes all topic filters of a source with one consumer.
            if facts.connection.type == .mqtt {
                return [entry(source.addresses.joined(separator: ";"), of: source.addresses)]
            }
            let consumers = max(source.consumerCount, 1) * max(facts.connection.clientCount, 1)
            return source.addresses.flatMap { repeatElement(entry($0, of: [$0]), count: consumers) }
        }
    }

    private static func targets(_ facts: ConnectionStatusFacts, _ publisher: StatusEntry) -> [StatusEntry] {
        facts.connection.targets.enumerated().map { index, target in
            var entry = resource(
                .target, target.address.text, of: publisher, opened: "Producer started.",
                trouble: facts.places[.target(index)])
            if entry.status == .open, target.address.constant == nil {
                entry.status = .unknown
                entry.details = "Producers for targets with placeholders are started on-demand."
            }
            return entry
        }
    }

    private static func resource(_ entry: StatusEntry, in trouble: PlaceTrouble) -> StatusEntry {
        var entry = entry
        entry.status = trouble.failure.reaction == .misconfigured ? .misconfigured : .failed
        entry.details = text(trouble.failure, at: trouble.since)
        entry.since = trouble.since
        return entry
    }

    private static func resource(
        _ type: StatusEntry.Kind, _ address: String?, of client: StatusEntry, opened: String, trouble: PlaceTrouble?
    ) -> StatusEntry {
        var entry = StatusEntry(type: type, address: address, status: .closed, details: "", since: client.since)
        switch client.status {
        case .open:
            if let trouble {
                entry = resource(entry, in: trouble)
            } else {
                entry.status = .open
                entry.details = opened
            }
        case .closed: entry.details = client.details
        case .failed: entry.details = "Closed because of failure status in client."
        case .misconfigured: entry.details = "Closed because of misconfiguration status in client."
        case .unknown: entry.details = "Closed because of unknown status in client."
        }
        return entry
    }
}
