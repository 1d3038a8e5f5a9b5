// What /metrics shows: connections, commits, the store and the process. Labels name connections, outcomes and reasons,
// never things: their number has no bound.
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// The numbers of one moment.
struct MetricsPage: Sendable {
    var connections: [ConnectionSnapshot]
    var engine: EngineMetrics.Snapshot
    /// The newest committed sequence of the journal.
    var journalSequence: Int64
    var store: StoreMeasures
    var isReady: Bool
    var failedLogins: Int
    /// Nil where the system does not tell.
    var residentBytes: Int64?
    /// Requests that wait, and subscribers of the live channel.
    var live: (pending: Int, subscribers: Int) = (0, 0)
    /// How the last reading of connection files went; nil before the first one.
    var lastReload: ConfigurationReload?

    /// The page.
    var text: PrometheusText {
        var page = PrometheusText()
        writeConnections(&page)
        writeCommits(&page)
        writeSubjects(&page)
        writeRequests(&page)
        writeStore(&page)
        page.family("twinspan_ready", .gauge, "1 when /ready says so.")
        page.sample("twinspan_ready", Int64(isReady ? 1 : 0))
        if let lastReload {
            page.family(
                "twinspan_config_last_reload_successful", .gauge, "1 when the connection files were without errors.")
            page.sample("twinspan_config_last_reload_successful", Int64(lastReload.isSuccessful ? 1 : 0))
            page.family(
                "twinspan_config_last_reload_timestamp_seconds", .gauge, "When the connection files were last read.")
            page.sample("twinspan_config_last_reload_timestamp_seconds", lastReload.epochSeconds)
        }
        page.family("twinspan_http_failed_logins_total", .counter, "Logins over HTTP that failed.")
        page.sample("twinspan_http_failed_logins_total", Int64(failedLogins))
        if let residentBytes {
            page.family("process_resident_memory_bytes", .gauge, "Resident memory of the process.")
            page.sample("process_resident_memory_bytes", residentBytes)
        }
        return page
    }

    private func writeConnections(_ page: inout PrometheusText) {
        guard !connections.isEmpty else { return }
        page.family(
            "twinspan_connection_messages_total", .counter, "Messages of a connection by what became of them.")
        for connection in connections {
            for counter in connection.counters where counter.outcome != Self.reconnects {
                let labels =
                    labels(connection) + [
                        ("direction", counter.direction.rawValue), ("outcome", counter.outcome),
                        ("reason", counter.reason),
                    ]
                page.sample("twinspan_connection_messages_total", counter.value, labels)
            }
        }
        page.family("twinspan_connection_reconnects_total", .counter, "Connections lost and made again, by reason.")
        for connection in connections {
            for counter in connection.counters where counter.outcome == Self.reconnects {
                let labels =
                    labels(connection) + [("direction", counter.direction.rawValue), ("reason", counter.reason)]
                page.sample("twinspan_connection_reconnects_total", counter.value, labels)
            }
        }
        writeConnectionGauges(&page)
    }

    private static let reconnects = "reconnects"

    private func writeConnectionGauges(_ page: inout PrometheusText) {
        page.family("twinspan_connection_state", .gauge, "1 for the state the connection is in.")
        for connection in connections {
            for state in ConnectionState.allCases {
                page.sample(
                    "twinspan_connection_state", Int64(connection.state == state ? 1 : 0),
                    labels(connection) + [("state", state.rawValue)])
            }
        }
        let gauges: [(name: String, help: String, value: (ConnectionSnapshot) -> Double)] = [
            ("state_age_seconds", "How long the connection is in its state.", { $0.stateAgeSeconds }),
            (
                "failed_places", "Sources and targets that do not work while their session is open.",
                { Double($0.failedPlaces.count) }
            ),
            ("in_flight", "Messages read whose commit is awaited.", { Double($0.inFlight) }),
            ("queue_messages", "Messages that wait for the broker.", { Double($0.queueDepth) }),
            ("queue_bytes", "Bytes that wait for the broker.", { Double($0.queueBytes) }),
            ("queue_age_seconds", "Age of the oldest message that waits.", { $0.queueAgeSeconds }),
            (
                "waiting_signals", "Signals whose acknowledgements or answers are awaited.",
                { Double($0.waitingSignals) }
            ),
            ("inbox_messages", "Messages that wait in the inbox.", { Double($0.inbox.count) }),
            ("inbox_bytes", "Bytes that wait in the inbox.", { Double($0.inbox.bytes) }),
            ("inbox_age_seconds", "Age of the oldest message in the inbox.", { $0.inbox.ageSeconds }),
            ("dead_letters", "Dead letters that are kept.", { Double($0.deadLetters.count) }),
            ("dead_letter_bytes", "Bytes of the dead letters that are kept.", { Double($0.deadLetters.bytes) }),
            ("dead_letter_age_seconds", "Age of the oldest dead letter.", { $0.deadLetters.ageSeconds }),
        ]
        for gauge in gauges {
            page.family("twinspan_connection_\(gauge.name)", .gauge, gauge.help)
            for connection in connections {
                let value = gauge.value(connection)
                if let whole = Int64(exactly: value) {
                    page.sample("twinspan_connection_\(gauge.name)", whole, labels(connection))
                } else {
                    page.sample("twinspan_connection_\(gauge.name)", value, labels(connection))
                }
            }
        }
        writeDurableTargets(&page)
    }

    private func writeDurableTargets(_ page: inout PrometheusText) {
        let targets = connections.flatMap { connection in
            connection.behind.map { (labels: labels(connection) + [("target", $0.target)], behind: $0) }
        }
        guard !targets.isEmpty else { return }
        page.family(
            "twinspan_target_behind_events", .gauge, "Journal sequences that a durable target has still to deal with.")
        for target in targets { page.sample("twinspan_target_behind_events", target.behind.events, target.labels) }
        page.family("twinspan_target_behind_seconds", .gauge, "Age of the oldest event a durable target has to send.")
        for target in targets { page.sample("twinspan_target_behind_seconds", target.behind.ageSeconds, target.labels) }
        page.family(
            "twinspan_target_missed_total", .counter,
            "Journal sequences that retention removed before a durable target had read them.")
        for target in targets { page.sample("twinspan_target_missed_total", target.behind.missed, target.labels) }
    }

    private func labels(_ connection: ConnectionSnapshot) -> [(String, String)] {
        [("connection", connection.id.text), ("type", connection.type.rawValue)]
    }

    private func writeCommits(_ page: inout PrometheusText) {
        page.family(
            "twinspan_commit_seconds", .histogram,
            "Time from a change to its durable commit, for the oldest of each commit.")
        page.histogram(
            "twinspan_commit_seconds", bounds: EngineMetrics.latencyBounds, counts: engine.latencyBuckets,
            sumMicroseconds: engine.latencySumMicroseconds)
        let counters: [(name: String, help: String, value: Int64)] = [
            ("twinspan_commits_total", "Commits.", engine.commits),
            ("twinspan_commits_failed_total", "Commits that failed.", engine.failedCommits),
            ("twinspan_changes_total", "Changes committed.", engine.changes),
            ("twinspan_rows_written_total", "Rows written behind the journal.", engine.rowsWritten),
            ("twinspan_journal_trimmed_total", "Journal records removed by retention.", engine.trimmed),
            (
                "twinspan_dead_letters_expired_total", "Dead letters that were too old, too many or too large.",
                engine.deadLettersExpired
            ),
            (
                "twinspan_readers_forgotten_total", "Places of durable targets that nobody claimed any more.",
                engine.readersForgotten
            ),
        ]
        for counter in counters {
            page.family(counter.name, .counter, counter.help)
            page.sample(counter.name, counter.value)
        }
    }

    private func writeSubjects(_ page: inout PrometheusText) {
        let subjects: [(name: String, help: String, value: Int64)] = [
            ("subjects_expired", "Subjects removed from their policies at their expiry.", engine.expiredSubjects),
            (
                "announcements_published", "Announcements of policies that somebody has taken, repetitions included.",
                engine.announcementsPublished
            ),
            (
                "announcements_acknowledged", "Announcements with all requested acknowledgements.",
                engine.announcementsAcknowledged
            ),
            (
                "announcements_abandoned", "Announcements that were refused or not acknowledged in time.",
                engine.announcementsAbandoned
            ),
        ]
        for counter in subjects {
            page.family("twinspan_\(counter.name)_total", .counter, counter.help)
            page.sample("twinspan_\(counter.name)_total", counter.value)
        }
    }

    private func writeRequests(_ page: inout PrometheusText) {
        page.family(
            "twinspan_requests_pending", .gauge, "Requests that wait for a commit, an answer or acknowledgements.")
        page.sample("twinspan_requests_pending", Int64(live.pending))
        page.family("twinspan_requests_expired_total", .counter, "Requests whose time ran out.")
        page.sample("twinspan_requests_expired_total", engine.expiredRequests)
        page.family(
            "twinspan_answers_late_total", .counter, "Answers and acknowledgements that nobody waited for.")
        page.sample("twinspan_answers_late_total", engine.lateAnswers)
        page.family("twinspan_live_subscribers", .gauge, "Subscribers of the live channel.")
        page.sample("twinspan_live_subscribers", Int64(live.subscribers))
    }

    private func writeStore(_ page: inout PrometheusText) {
        let gauges: [(name: String, help: String, value: Int64)] = [
            ("twinspan_journal_sequence", "The newest committed sequence.", journalSequence),
            ("twinspan_rows_cursor", "The sequence up to which rows are written.", engine.rowsCursor),
            ("twinspan_journal_records", "Records in the journal.", store.journalRecords),
            ("twinspan_journal_bytes", "Bytes of records in the journal.", store.journalBytes),
            ("twinspan_store_file_bytes", "Size of the store's files.", store.fileBytes),
        ]
        for gauge in gauges {
            page.family(gauge.name, .gauge, gauge.help)
            page.sample(gauge.name, gauge.value)
        }
    }
}
