import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Policies of the tests on imports, references and namespace roots, as text.
enum WrittenPolicy {
    /// A policy that `test:owner` may read and change; nobody imports that from it.
    static func text(_ entries: [(String, String)] = [], imports: String? = nil) -> String {
        let all = [("owner", owner)] + entries
        let members = all.map { #""\#($0.0)":\#($0.1)"# }.joined(separator: ",")
        return "{" + (imports.map { #""imports":\#($0),"# } ?? "") + #""entries":{\#(members)}}"#
    }

    /// An entry: subjects, and per resource the letters of the permissions, those revoked after a `-`.
    static func entry(_ subjects: [String], _ resources: [String: String] = [:], _ rest: String = "") -> String {
        let who = subjects.map { #""\#($0)":{"type":"t"}"# }.joined(separator: ",")
        let what = resources.sorted { $0.key < $1.key }.map { key, letters in
            let parts = letters.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let grant = words(parts[0])
            return #""\#(key)":{"grant":\#(grant),"revoke":\#(parts.count > 1 ? words(parts[1]) : "[]")}"#
        }
        let tail = rest.isEmpty ? "" : "," + rest
        return #"{"subjects":{\#(who)},"resources":{\#(what.joined(separator: ","))}\#(tail)}"#
    }

    private static let owner = entry(
        ["test:owner"], ["policy:/": "RW", "thing:/": "RW", "message:/": "RW"], #""importable":"never""#)

    private static func words(_ letters: Substring) -> String {
        let words = letters.compactMap { ["R": "\"READ\"", "W": "\"WRITE\"", "E": "\"EXECUTE\""][$0] }
        return "[\(words.joined(separator: ","))]"
    }
}

extension EngineRig {
    /// Whether a subject may read something of a thing, asked as soon as possible.
    func mayRead(_ thing: String = "n:t", _ path: String = "/", as subject: String = "test:b") throws -> Bool {
        let command = try Self.command(.retrieve, thing, path)
        let context = AuthorizationContext([subject])
        // What is in memory must not say anything else.
        let known = engine.executeIfLoaded(command, as: context)
        let outcome = engine.execute(command, as: context)
        engine.commitSoon()
        try awaitCommit(outcome.ticket)
        if let known, known.isSuccess != outcome.isSuccess { throw ScenarioFailure("memory and store differ") }
        if case .failure(let error) = outcome.result, error.status != 404 { throw error }
        return outcome.isSuccess
    }

    /// Makes a thing under a policy.
    func makeThing(_ id: String = "n:t", under policy: String = "n:p") throws {
        try run(.create, id, "/", #"{"policyId":"\#(policy)","attributes":{"a":1,"s":{"x":1}}}"#)
    }
}

extension Outcome {
    var isSuccess: Bool { if case .success = result { true } else { false } }
}
