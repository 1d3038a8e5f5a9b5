import Testing
import TwinspanConnections

@testable import TwinspanEngine
@testable import TwinspanHTTP

@Suite("Metrics page")
struct MetricsPageTests {
    @Test("the page is text that Prometheus reads")
    func golden() throws {
        var store = StoreMeasures()
        store.journalBytes = 4096
        store.journalRecords = 40
        store.fileBytes = 81920
        var connection = try snapshot(
            "plant", state: .failed,
            counters: [
                .init(direction: .inbound, outcome: "received", value: 12),
                .init(direction: .outbound, outcome: "dropped", reason: "queue \"full\"\\\n", value: 2),
                .init(direction: .inbound, outcome: "reconnects", reason: "connection-lost", value: 3),
            ], queueDepth: 5, queueAge: 1.25)
        connection.waitingSignals = 4
        connection.inbox = ConnectionSnapshot.Kept(count: 2, bytes: 300, ageSeconds: 1.5)
        connection.deadLetters = ConnectionSnapshot.Kept(count: 1, bytes: 90, ageSeconds: 60)
        var latency = Array(repeating: Int64(0), count: EngineMetrics.latencyBounds.count + 1)
        latency[0] = 2
        latency[3] = 1
        latency[EngineMetrics.latencyBounds.count] = 1
        let page = MetricsPage(
            connections: [connection],
            engine: EngineMetrics.Snapshot(
                latencyBuckets: latency, latencySumMicroseconds: 2_500_123, commits: 4, changes: 40, failedCommits: 1,
                rowsWritten: 7, trimmed: 9, rowsCursor: 33, expiredRequests: 5, lateAnswers: 6,
                deadLettersExpired: 8, readersForgotten: 2, expiredSubjects: 11, announcementsPublished: 12,
                announcementsAcknowledged: 13, announcementsAbandoned: 14),
            journalSequence: 40, store: store, isReady: false, failedLogins: 2, residentBytes: 12_345_678,
            live: (pending: 3, subscribers: 2))
        #expect(page.text.text == Self.expected)
        var durable = page
        durable.connections[0].behind = [.init(target: "events", events: 7, ageSeconds: 2.5, missed: 3)]
        let labels = #"{connection="plant",type="mqtt",target="events"}"#
        let gauges = durable.text.text
        #expect(gauges.contains("\ntwinspan_target_behind_events\(labels) 7\n"))
        #expect(gauges.contains("\ntwinspan_target_behind_seconds\(labels) 2.5\n"))
        #expect(gauges.contains("\ntwinspan_target_missed_total\(labels) 3\n"))
        var reloaded = page
        reloaded.lastReload = ConfigurationReload(isSuccessful: false, epochSeconds: 1_700_000_000)
        let text = reloaded.text.text
        #expect(text.contains("\ntwinspan_config_last_reload_successful 0\n"))
        #expect(text.contains("\ntwinspan_config_last_reload_timestamp_seconds 1700000000\n"))
    }

    static let expected = #"""
        # HELP twinspan_connection_messages_total Messages of a connection by what became of them.
        # TYPE twinspan_connection_messages_total counter
        twinspan_connection_messages_total{connection="plant",type="mqtt",\#
        direction="inbound",outcome="received",reason=""} 12
        twinspan_connection_messages_total{connection="plant",type="mqtt",\#
        direction="outbound",outcome="dropped",reason="queue \"full\"\\\n"} 2
        # HELP twinspan_connection_reconnects_total Connections lost and made again, by reason.
        # TYPE twinspan_connection_reconnects_total counter
        twinspan_connection_reconnects_total{connection="plant",type="mqtt",\#
        direction="inbound",reason="connection-lost"} 3
        # HELP twinspan_connection_state 1 for the state the connection is in.
        # TYPE twinspan_connection_state gauge
        twinspan_connection_state{connection="plant",type="mqtt",state="closed"} 0
        twinspan_connection_state{connection="plant",type="mqtt",state="connecting"} 0
        twinspan_connection_state{connection="plant",type="mqtt",state="open"} 0
        twinspan_connection_state{connection="plant",type="mqtt",state="failed"} 1
        twinspan_connection_state{connection="plant",type="mqtt",state="misconfigured"} 0
        # HELP twinspan_connection_state_age_seconds How long the connection is in its state.
        # TYPE twinspan_connection_state_age_seconds gauge
        twinspan_connection_state_age_seconds{connection="plant",type="mqtt"} 12
        # HELP twinspan_connection_failed_places Sources and targets that do not work while their session is open.
        # TYPE twinspan_connection_failed_places gauge
        twinspan_connection_failed_places{connection="plant",type="mqtt"} 0
        # HELP twinspan_connection_in_flight Messages read whose commit is awaited.
        # TYPE twinspan_connection_in_flight gauge
        twinspan_connection_in_flight{connection="plant",type="mqtt"} 3
        # HELP twinspan_connection_queue_messages Messages that wait for the broker.
        # TYPE twinspan_connection_queue_messages gauge
        twinspan_connection_queue_messages{connection="plant",type="mqtt"} 5
        # HELP twinspan_connection_queue_bytes Bytes that wait for the broker.
        # TYPE twinspan_connection_queue_bytes gauge
        twinspan_connection_queue_bytes{connection="plant",type="mqtt"} 500
        # HELP twinspan_connection_queue_age_seconds Age of the oldest message that waits.
        # TYPE twinspan_connection_queue_age_seconds gauge
        twinspan_connection_queue_age_seconds{connection="plant",type="mqtt"} 1.25
        # HELP twinspan_connection_waiting_signals Signals whose acknowledgements or answers are awaited.
        # TYPE twinspan_connection_waiting_signals gauge
        twinspan_connection_waiting_signals{connection="plant",type="mqtt"} 4
        # HELP twinspan_connection_inbox_messages Messages that wait in the inbox.
        # TYPE twinspan_connection_inbox_messages gauge
        twinspan_connection_inbox_messages{connection="plant",type="mqtt"} 2
        # HELP twinspan_connection_inbox_bytes Bytes that wait in the inbox.
        # TYPE twinspan_connection_inbox_bytes gauge
        twinspan_connection_inbox_bytes{connection="plant",type="mqtt"} 300
        # HELP twinspan_connection_inbox_age_seconds Age of the oldest message in the inbox.
        # TYPE twinspan_connection_inbox_age_seconds gauge
        twinspan_connection_inbox_age_seconds{connection="plant",type="mqtt"} 1.5
        # HELP twinspan_connection_dead_letters Dead letters that are kept.
        # TYPE twinspan_connection_dead_letters gauge
        twinspan_connection_dead_letters{connection="plant",type="mqtt"} 1
        # HELP twinspan_connection_dead_letter_bytes Bytes of the dead letters that are kept.
        # TYPE twinspan_connection_dead_letter_bytes gauge
        twinspan_connection_dead_letter_bytes{connection="plant",type="mqtt"} 90
        # HELP twinspan_connection_dead_letter_age_seconds Age of the oldest dead letter.
        # TYPE twinspan_connection_dead_letter_age_seconds gauge
        twinspan_connection_dead_letter_age_seconds{connection="plant",type="mqtt"} 60
        # HELP twinspan_commit_seconds Time from a change to its durable commit, for the oldest of each commit.
        # TYPE twinspan_commit_seconds histogram
        twinspan_commit_seconds_bucket{le="0.0001"} 2
        twinspan_commit_seconds_bucket{le="0.0002"} 2
        twinspan_commit_seconds_bucket{le="0.0004"} 2
        twinspan_commit_seconds_bucket{le="0.0008"} 3
        twinspan_commit_seconds_bucket{le="0.0016"} 3
        twinspan_commit_seconds_bucket{le="0.0032"} 3
        twinspan_commit_seconds_bucket{le="0.0064"} 3
        twinspan_commit_seconds_bucket{le="0.0128"} 3
        twinspan_commit_seconds_bucket{le="0.0256"} 3
        twinspan_commit_seconds_bucket{le="0.0512"} 3
        twinspan_commit_seconds_bucket{le="0.1024"} 3
        twinspan_commit_seconds_bucket{le="0.4096"} 3
        twinspan_commit_seconds_bucket{le="1.6384"} 3
        twinspan_commit_seconds_bucket{le="+Inf"} 4
        twinspan_commit_seconds_sum 2.500123
        twinspan_commit_seconds_count 4
        # HELP twinspan_commits_total Commits.
        # TYPE twinspan_commits_total counter
        twinspan_commits_total 4
        # HELP twinspan_commits_failed_total Commits that failed.
        # TYPE twinspan_commits_failed_total counter
        twinspan_commits_failed_total 1
        # HELP twinspan_changes_total Changes committed.
        # TYPE twinspan_changes_total counter
        twinspan_changes_total 40
        # HELP twinspan_rows_written_total Rows written behind the journal.
        # TYPE twinspan_rows_written_total counter
        twinspan_rows_written_total 7
        # HELP twinspan_journal_trimmed_total Journal records removed by retention.
        # TYPE twinspan_journal_trimmed_total counter
        twinspan_journal_trimmed_total 9
        # HELP twinspan_dead_letters_expired_total Dead letters that were too old, too many or too large.
        # TYPE twinspan_dead_letters_expired_total counter
        twinspan_dead_letters_expired_total 8
        # HELP twinspan_readers_forgotten_total Places of durable targets that nobody claimed any more.
        # TYPE twinspan_readers_forgotten_total counter
        twinspan_readers_forgotten_total 2
        # HELP twinspan_subjects_expired_total Subjects removed from their policies at their expiry.
        # TYPE twinspan_subjects_expired_total counter
        twinspan_subjects_expired_total 11
        # HELP twinspan_announcements_published_total \#
        Announcements of policies that somebody has taken, repetitions included.
        # TYPE twinspan_announcements_published_total counter
        twinspan_announcements_published_total 12
        # HELP twinspan_announcements_acknowledged_total Announcements with all requested acknowledgements.
        # TYPE twinspan_announcements_acknowledged_total counter
        twinspan_announcements_acknowledged_total 13
        # HELP twinspan_announcements_abandoned_total Announcements that were refused or not acknowledged in time.
        # TYPE twinspan_announcements_abandoned_total counter
        twinspan_announcements_abandoned_total 14
        # HELP twinspan_requests_pending Requests that wait for a commit, an answer or acknowledgements.
        # TYPE twinspan_requests_pending gauge
        twinspan_requests_pending 3
        # HELP twinspan_requests_expired_total Requests whose time ran out.
        # TYPE twinspan_requests_expired_total counter
        twinspan_requests_expired_total 5
        # HELP twinspan_answers_late_total Answers and acknowledgements that nobody waited for.
        # TYPE twinspan_answers_late_total counter
        twinspan_answers_late_total 6
        # HELP twinspan_live_subscribers Subscribers of the live channel.
        # TYPE twinspan_live_subscribers gauge
        twinspan_live_subscribers 2
        # HELP twinspan_journal_sequence The newest committed sequence.
        # TYPE twinspan_journal_sequence gauge
        twinspan_journal_sequence 40
        # HELP twinspan_rows_cursor The sequence up to which rows are written.
        # TYPE twinspan_rows_cursor gauge
        twinspan_rows_cursor 33
        # HELP twinspan_journal_records Records in the journal.
        # TYPE twinspan_journal_records gauge
        twinspan_journal_records 40
        # HELP twinspan_journal_bytes Bytes of records in the journal.
        # TYPE twinspan_journal_bytes gauge
        twinspan_journal_bytes 4096
        # HELP twinspan_store_file_bytes Size of the store's files.
        # TYPE twinspan_store_file_bytes gauge
        twinspan_store_file_bytes 81920
        # HELP twinspan_ready 1 when /ready says so.
        # TYPE twinspan_ready gauge
        twinspan_ready 0
        # HELP twinspan_http_failed_logins_total Logins over HTTP that failed.
        # TYPE twinspan_http_failed_logins_total counter
        twinspan_http_failed_logins_total 2
        # HELP process_resident_memory_bytes Resident memory of the process.
        # TYPE process_resident_memory_bytes gauge
        process_resident_memory_bytes 12345678

        """#

    @Test(
        "microseconds become seconds without a rounding error",
        arguments: [
            (0, "0"), (1, "0.000001"), (100, "0.0001"), (1_638_400, "1.6384"), (2_000_000, "2"), (-1_500_000, "-1.5"),
            (Int64.max, "9223372036854.775807"),
        ])
    func seconds(_ row: (microseconds: Int64, text: String)) {
        #expect(PrometheusText.seconds(microseconds: row.microseconds) == row.text)
    }

    @Test("the page is served without authentication, and can be turned off", arguments: Way.allCases)
    func served(_ way: Way) async throws {
        try await withDoor(way) { door in
            _ = try await door(Ask("PUT", "/api/2/things/a:secret-thing", body: "{}"))
            let answer = try await door(Ask("GET", "/metrics", user: nil))
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.text.contains("\ntwinspan_changes_total 2\n"))
            #expect(answer.text.contains("\nprocess_resident_memory_bytes "))
            #expect(!answer.text.contains("secret-thing"))
        }
        try await withDoor(way, settings: HTTPSettings(port: 0, showsMetrics: false)) { door in
            try await Row("GET", "/metrics", user: nil, gives: 404, "gateway:route.notfound").check(door)
        }
        try await withDoor(way, settings: HTTPSettings(port: 0, authenticatesMetrics: true)) { door in
            try await Row("GET", "/metrics", user: nil, gives: 401, "gateway:authentication.failed").check(door)
            #expect(try await door(Ask("GET", "/metrics")).status == 200)
        }
    }
}
