import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// An engine over a real store in a directory of its own, with everything it publishes.
final class EngineFixture: Sendable {
    let directory: TemporaryDirectory
    let rig: EngineRig
    let events: EventSubscription

    init(settings: EngineSettings = EngineRig.settings()) throws {
        directory = try TemporaryDirectory(isInMemory: true)
        rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os), settings: settings)
        events = rig.subscribe()
    }

    deinit { rig.engine.stop() }

    /// The first `count` thing events that are published from now on; fewer when they do not come.
    func published(_ count: Int, within milliseconds: Int = 5_000) -> [ThingEvent] {
        var changes: [TwinChange] = []
        for _ in 0..<milliseconds {
            changes += events.take()
            if changes.count >= count { break }
            usleep(1_000)
        }
        return changes.compactMap { change in
            guard case .thing(let event, _) = change.content else { return nil }
            return event
        }
    }

    /// Forgets what was published so far, which is everything up to the newest commit.
    func forgetEvents(_ count: Int) { _ = published(count) }

    /// Makes a thing and waits until its event is out.
    func make(_ id: String, _ value: String = Sample.thing) throws {
        try rig.run(.create, id, "/", value)
        forgetEvents(1)
    }

    /// The whole thing as its owner sees it.
    func thing(_ id: String) throws -> JSONValue? {
        try rig.run(.retrieve, id).value?.value
    }
}

/// Documents of the tables.
enum Sample {
    /// A thing with every kind of resource; under the policy `n:policy` when `withPolicy` has been made.
    static let thing = """
        {"definition":"a:b:1","attributes":{"a":1,"o":{"x":1,"y":{"z":2}},"n":null},\
        "features":{"f":{"definition":["a:b:1"],"properties":{"p":1,"o":{"q":1}},"desiredProperties":{"d":1}},"e":{}}}
        """

    /// Things under the policy `n:policy`.
    static let guarded = #"{"policyId":"n:policy","# + thing.dropFirst()

    /// A policy where `test:owner` may do everything, with further entries: subject, and per resource the letters of
    /// the permissions that are granted, or after a `-` revoked.
    static func policy(_ rules: [(subject: String, resources: [String: String])] = []) -> String {
        let all = [(subject: "test:owner", resources: ["thing:/": "RW", "policy:/": "RW", "message:/": "RW"])] + rules
        let entries = all.enumerated().map { number, rule in
            let resources = rule.resources.sorted { $0.key < $1.key }.map { key, letters in
                let parts = letters.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                let grant = parts.first.map { words(String($0)) } ?? "[]"
                let revoke = parts.count > 1 ? words(String(parts[1])) : "[]"
                return #""\#(key)":{"grant":\#(grant),"revoke":\#(revoke)}"#
            }
            return """
                "E\(number)":{"subjects":{"\(rule.subject)":{"type":"test"}},\
                "resources":{\(resources.joined(separator: ","))}}
                """
        }
        return #"{"entries":{\#(entries.joined(separator: ","))}}"#
    }

    private static func words(_ letters: String) -> String {
        let words = letters.compactMap { ["R": "\"READ\"", "W": "\"WRITE\"", "E": "\"EXECUTE\""][$0] }
        return "[\(words.joined(separator: ","))]"
    }
}

/// Expects the body to throw the error of a code and status.
func expectError(
    _ code: String, _ status: Int, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> ThingResponse
) {
    do {
        let response = try body()
        Issue.record("answered with \(response.status) instead of \(code)", sourceLocation: sourceLocation)
    } catch let error as TwinspanError {
        #expect(error.code == code, comment, sourceLocation: sourceLocation)
        #expect(error.status == status, comment, sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}

/// The value of JSON text.
func json(_ text: String) throws -> JSONValue { try JSONValue.parse(text) }
