import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("the JSON of a status")
struct ConnectionStatusJSONTests {
    private typealias Session = ConnectionStatusFacts.Session
    private typealias Status = ConnectionStatusJSON.Status
    private typealias Recovery = ConnectionStatusJSON.Recovery

    private static let failure = BrokerFailure(
        step: .connect, reaction: .backOff, reason: "refused", message: "Nobody listens.", hint: "Start the broker.")

    private static func session(
        _ role: Session.Role, _ state: ConnectionState, at milliseconds: Int64 = 1_000, isRetrying: Bool = true
    ) -> Session {
        Session(
            role: role, state: state, since: Timestamp(milliseconds: milliseconds),
            failure: state == .failed || state == .misconfigured ? failure : nil, isRetrying: isRetrying)
    }

    private static func response(
        _ connection: Connection, _ sessions: [Session], closedSince: Timestamp? = nil,
        places: [SessionPlace: BrokerFailure] = [:]
    ) -> JSONObject {
        ConnectionStatusJSON.response(
            ConnectionStatusFacts(
                connection: connection, client: "gateway", sessions: sessions, closedSince: closedSince,
                places: places.mapValues { PlaceTrouble(failure: $0, since: Timestamp(milliseconds: 9_000)) }))
    }

    private static func column(_ body: JSONObject, _ group: String, _ key: String) -> [String?] {
        (body[group]?.array ?? []).map { $0.object?[key]?.string }
    }

    @Test("an open connection shows everything open")
    func open() throws {
        let body = Self.response(
            try sampleConnection(), [Self.session(.consumer, .open), Self.session(.publisher, .open, at: 3_000)])
        let expected = #"""
            {"type":"connectivity.responses:retrieveConnectionStatus","status":200,"connectionId":"c1",\#
            "connectionStatus":"open","liveStatus":"open","recoveryStatus":"succeeded",\#
            "connectedSince":"1970-01-01T00:00:03Z",\#
            "clientStatus":[{"type":"client","client":"gateway","status":"open","recoveryStatus":"succeeded",\#
            "statusDetails":"CONNECTED","inStateSince":"1970-01-01T00:00:03Z"}],\#
            "sourceStatus":[{"type":"source","client":"gateway","address":"a/#","status":"open",\#
            "statusDetails":"Consumer started.","inStateSince":"1970-01-01T00:00:01Z"}],\#
            "targetStatus":[{"type":"target","client":"gateway","address":"out","status":"open",\#
            "statusDetails":"Producer started.","inStateSince":"1970-01-01T00:00:03Z"}]}
            """#
        #expect(JSONValue.object(body).text == expected)
    }

    @Test("a closed connection has one client entry, since its closing or the epoch", arguments: [nil, 5_000])
    func closed(milliseconds: Int64?) throws {
        let body = Self.response(
            try sampleConnection(isOpen: false), [],
            closedSince: milliseconds.map { Timestamp(milliseconds: $0) })
        let since = milliseconds == nil ? "1970-01-01T00:00:00Z" : "1970-01-01T00:00:05Z"
        let expected = #"""
            {"type":"connectivity.responses:retrieveConnectionStatus","status":200,"connectionId":"c1",\#
            "connectionStatus":"closed","liveStatus":"closed","recoveryStatus":"unknown",\#
            "clientStatus":[{"type":"client","client":"gateway","status":"closed","recoveryStatus":"unknown",\#
            "statusDetails":"[DISCONNECTED] connection is closed","inStateSince":"\#(since)"}]}
            """#
        #expect(JSONValue.object(body).text == expected)
    }

    @Test(
        "a client that is not open closes what hangs on it, and says why",
        arguments: [
            (.failed, true, "failed", "ongoing", "failure"),
            (.failed, false, "failed", "backOffLimitReached", "failure"),
            (.misconfigured, true, "misconfigured", "ongoing", "misconfiguration"),
            (.misconfigured, false, "misconfigured", "backOffLimitReached", "misconfiguration"),
            (.connecting, true, "unknown", "ongoing", "unknown"),
        ] as [(ConnectionState, Bool, String, String, String)])
    func down(state: ConnectionState, isRetrying: Bool, live: String, recovery: String, word: String) throws {
        let tunnel: JSONObject = ["enabled": true]
        let body = Self.response(
            try sampleConnection(targets: ["out", "{{ thing:id }}"], sshTunnel: tunnel),
            [
                Self.session(.consumer, state, isRetrying: isRetrying),
                Self.session(.publisher, state, isRetrying: isRetrying),
            ])
        #expect(body["connectionStatus"]?.string == "open")
        #expect(body["liveStatus"]?.string == live)
        #expect(body["recoveryStatus"]?.string == recovery)
        #expect(body["connectedSince"] == nil)
        #expect(Self.column(body, "clientStatus", "status") == [live])
        for (group, count) in [("sourceStatus", 1), ("targetStatus", 2), ("sshTunnelStatus", 1)] {
            #expect(Self.column(body, group, "status") == Array(repeating: "closed", count: count))
            let details = "Closed because of \(word) status in client."
            #expect(Self.column(body, group, "statusDetails") == Array(repeating: details, count: count))
        }
    }

    @Test("the details of a failure say what, where, when, and what to do")
    func details() throws {
        let body = Self.response(try sampleConnection(), [Self.session(.consumer, .failed)])
        #expect(
            Self.column(body, "clientStatus", "statusDetails")
                == ["Nobody listens. (step connect, at 1970-01-01T00:00:01Z) → Start the broker."])
    }

    @Test("a target with placeholders is unknown, which does not make the connection so")
    func placeholders() throws {
        let body = Self.response(
            try sampleConnection(targets: ["x/{{ thing:id }}"]),
            [Self.session(.consumer, .open), Self.session(.publisher, .open)])
        #expect(Self.column(body, "targetStatus", "status") == ["unknown"])
        #expect(Self.column(body, "targetStatus", "address") == ["x/{{ thing:id }}"])
        #expect(
            Self.column(body, "targetStatus", "statusDetails")
                == ["Producers for targets with placeholders are started on-demand."])
        #expect(body["liveStatus"]?.string == "open")
    }

    @Test(
        "a source has one entry for MQTT 3, else one per address, consumer and client",
        arguments: [
            (.mqtt, ["a;b"]), (.mqtt5, ["a", "a", "a", "a", "b", "b", "b", "b"]),
            (.kafka, ["a", "a", "a", "a", "b", "b", "b", "b"]),
        ] as [(ConnectionType, [String])])
    func sources(type: ConnectionType, expected: [String]) throws {
        let body = Self.response(
            try sampleConnection(type, sources: [["a", "b"]], targets: [], consumerCount: 2, clientCount: 2),
            [Self.session(.consumer, .open)])
        #expect(Self.column(body, "sourceStatus", "address") == expected)
        #expect(body["targetStatus"] == nil)
        #expect(body["sshTunnelStatus"] == nil)
    }

    @Test("what ails one source is shown there, and makes the connection so")
    func oneSource() throws {
        let connection = try sampleConnection(sources: [["a"], ["b"]])
        let sessions = [Self.session(.consumer, .open), Self.session(.publisher, .open)]
        var refused = Self.failure
        let failed = Self.response(connection, sessions, places: [.source(1, address: "b"): refused])
        #expect(Self.column(failed, "sourceStatus", "status") == ["open", "failed"])
        #expect(failed["liveStatus"]?.string == "failed")
        #expect(
            Self.column(failed, "sourceStatus", "statusDetails")
                == [
                    "Consumer started.",
                    "Nobody listens. (step connect, at 1970-01-01T00:00:09Z) → Start the broker.",
                ])
        #expect(
            Self.column(failed, "sourceStatus", "inStateSince") == ["1970-01-01T00:00:01Z", "1970-01-01T00:00:09Z"])
        #expect(Self.column(failed, "clientStatus", "status") == ["open"])
        refused.reaction = .misconfigured
        let misconfigured = Self.response(connection, sessions, places: [.target(0): refused])
        #expect(Self.column(misconfigured, "targetStatus", "status") == ["misconfigured"])
        #expect(misconfigured["liveStatus"]?.string == "misconfigured")
        #expect(misconfigured["recoveryStatus"]?.string == "succeeded")
    }

    @Test("one address of several is shown by itself, for MQTT 3 with its source")
    func oneAddress() throws {
        let sessions = [Self.session(.consumer, .open), Self.session(.publisher, .open)]
        for (type, expected) in [(ConnectionType.kafka, ["open", "failed"]), (.mqtt, ["failed"])] {
            let body = Self.response(
                try sampleConnection(type, sources: [["a", "b"]]), sessions,
                places: [.source(0, address: "b"): Self.failure])
            #expect(Self.column(body, "sourceStatus", "status") == expected)
        }
    }

    @Test("a tunnel that has failed is shown so, whatever became of its sessions")
    func failedTunnel() throws {
        var connection = try sampleConnection()
        connection.sshTunnel = ["enabled": true]
        for state in [ConnectionState.open, .failed] {
            let body = Self.response(connection, [Self.session(.consumer, state)], places: [.tunnel: Self.failure])
            #expect(Self.column(body, "sshTunnelStatus", "status") == ["failed"])
            #expect(Self.column(body, "sshTunnelStatus", "inStateSince") == ["1970-01-01T00:00:09Z"])
        }
    }

    @Test("every client that the definition asks for is shown as the one that does the work")
    func clients() throws {
        let body = Self.response(
            try sampleConnection(.kafka, clientCount: 2), [Self.session(.consumer, .open)])
        #expect(Self.column(body, "clientStatus", "status") == ["open", "open"])
    }

    @Test("the newest trouble of an open session stands in its details")
    func warned() throws {
        var session = Self.session(.consumer, .open)
        session.warning = PlaceTrouble(failure: Self.failure, since: Timestamp(milliseconds: 2_000))
        let body = Self.response(try sampleConnection(), [session])
        #expect(
            Self.column(body, "clientStatus", "statusDetails")
                == [
                    "CONNECTED, with trouble: Nobody listens. (step connect, at 1970-01-01T00:00:02Z)"
                        + " → Start the broker."
                ])
        #expect(body["liveStatus"]?.string == "open")
    }

    @Test("what hangs on the other session stays open, and the connection is as the worse one is")
    func halfOpen() throws {
        let body = Self.response(
            try sampleConnection(), [Self.session(.consumer, .failed), Self.session(.publisher, .open)])
        #expect(Self.column(body, "clientStatus", "status") == ["failed"])
        #expect(Self.column(body, "sourceStatus", "status") == ["closed"])
        #expect(Self.column(body, "targetStatus", "status") == ["open"])
        #expect(body["liveStatus"]?.string == "failed")
    }

    @Test("a tunnel is shown with its text")
    func tunnel() throws {
        let body = Self.response(
            try sampleConnection(sshTunnel: ["enabled": true]),
            [Self.session(.consumer, .open), Self.session(.publisher, .open)])
        #expect(Self.column(body, "sshTunnelStatus", "type") == ["ssh"])
        #expect(Self.column(body, "sshTunnelStatus", "statusDetails") == ["ssh tunnel established."])
        #expect(Self.column(body, "sshTunnelStatus", "address") == [nil])
    }

    @Test(
        "the live status of a group",
        arguments: [
            ([], [.open], .open), ([.open, .open], [.open], .open), ([.open, .failed], [.open], .failed),
            ([.misconfigured, .failed], [.open], .failed), ([.misconfigured, .open], [.open], .misconfigured),
            ([.closed, .closed], [.open], .closed), ([.open, .unknown], [.open], .open),
            ([.unknown], [.open], .open), ([.unknown], [.open, .unknown], .unknown),
            ([.closed, .open], [.open], .unknown), ([.unknown], [.failed], .unknown),
        ] as [([Status], [Status], Status)])
    private func groups(statuses: [Status], clients: [Status], expected: Status) {
        #expect(ConnectionStatusJSON.group(statuses, clients: clients) == expected)
    }

    @Test(
        "the live status over all groups",
        arguments: [
            ([.open, .open, .open, .open], .open), ([.open, .failed, .misconfigured, .open], .failed),
            ([.open, .misconfigured, .closed, .open], .misconfigured), ([.closed, .closed, .closed, .closed], .closed),
            ([.closed, .open, .open, .open], .unknown), ([.open, .unknown, .open, .open], .unknown),
        ] as [([Status], Status)])
    private func overall(groups: [Status], expected: Status) {
        #expect(ConnectionStatusJSON.overall(groups) == expected)
    }

    @Test(
        "the recovery status over all clients",
        arguments: [
            ([.succeeded, .succeeded], .succeeded), ([.succeeded, .ongoing], .ongoing),
            ([.ongoing, .backOffLimitReached], .backOffLimitReached), ([.unknown, .succeeded], .unknown),
            ([.unknown], .unknown),
        ] as [([Recovery], Recovery)])
    private func recoveries(recoveries: [Recovery], expected: Recovery) {
        #expect(ConnectionStatusJSON.recovery(recoveries) == expected)
    }
}
