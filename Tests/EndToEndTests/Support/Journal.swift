// Reads a data directory after the process has ended, with the sqlite3 tool: the tests share no code with the store.
import Foundation
import TwinspanTestSupport

/// What a data directory holds.
struct Journal {
    static let tool = "/usr/bin/sqlite3"
    static let unavailableReason: String? =
        access(tool, X_OK) == 0 ? nil : "sqlite3 is not installed (apt-get install sqlite3): data is not looked at"

    struct Record: Equatable {
        var revision: Int
        var path: String
        var value: String
    }

    /// Records of things by thing id, by sequence.
    let things: [String: [Record]]
    /// Revision and JSON of the rows by thing id.
    let rows: [String: (revision: Int, json: String)]

    init(data: String) throws {
        let journal = Self.file(of: data)
        let twins = data + "/twins.db"
        for file in [journal, twins] {
            let check = try Self.query(file, "PRAGMA integrity_check")
            try require(check == [["ok"]], "\(file) is damaged: \(check)")
        }
        var things: [String: [Record]] = [:]
        for row in try Self.query(
            journal, "SELECT entity, revision, path, CAST(value AS TEXT) FROM journal WHERE kind = 1 ORDER BY sequence")
        {
            things[row[0], default: []].append(Record(revision: Int(row[1]) ?? -1, path: row[2], value: row[3]))
        }
        self.things = things
        rows = Dictionary(
            uniqueKeysWithValues: try Self.query(twins, "SELECT id, revision, CAST(json AS TEXT) FROM thing")
                .map { ($0[0], (Int($0[1]) ?? -1, $0[2])) })
    }

    /// The file with the journal.
    static func file(of data: String) -> String { data + "/journal.db" }

    /// Journal records the rows do not know yet; also while the process runs.
    static func recordsBehindRows(_ data: String) throws -> Int {
        let newest = try query(file(of: data), "SELECT max(sequence) FROM journal").first?.first.flatMap { Int($0) }
        let sql = "SELECT sequence FROM cursor WHERE name = 'rows'"
        let cursor = try query(data + "/twins.db", sql).first?.first.flatMap { Int($0) }
        guard let newest, let cursor else { throw ScenarioFailure("the store does not say how far it is") }
        return newest - cursor
    }

    /// Runs a query; columns must not hold the separators.
    static func query(_ file: String, _ sql: String) throws -> [[String]] {
        let output = NSTemporaryDirectory() + "twinspan-query-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: output) }  // A file left behind harms nobody.
        let child = try ChildProcess([tool, "-separator", "\u{1F}", file, sql], logPath: output)
        let end = Date(timeIntervalSinceNow: 60)
        while child.isRunning, Date() < end { usleep(2_000) }
        let text = try String(contentsOfFile: output, encoding: .utf8)
        try require(child.exitCode == 0, "sqlite3 failed: \(text.prefix(500))")
        return text.split(separator: "\n").map { line in
            line.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        }
    }
}
