// Policies read from files, for tools that need no service.
import ArgumentParser
import TwinspanConnections
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// The policies of some files.
struct PolicyFiles {
    private let policies: [PolicyID: Policy]
    /// The file that was named, and the policies in it.
    private let named: (path: String, ids: [PolicyID])?

    /// Reads files and directories; documents of other kinds than policies are passed over in `others`. Prints what is
    /// wrong with them, and ends with 2.
    init(named path: String?, others: [String]) throws {
        var policies: [PolicyID: Policy] = [:]
        var diagnostics: [Diagnostic] = []
        var ids: [PolicyID] = []
        var seen: Set<String> = []
        var count = 0
        for (place, isNamed) in (path.map { [($0, true)] } ?? []) + others.map({ ($0, false) }) {
            let loaded = SeedFiles.load(paths: [place])
            diagnostics += loaded.diagnostics
            count += loaded.files.count
            // A file that is named may be in a directory that is named too.
            for document in loaded.documents where !seen.contains(document.file) {
                do throws(TwinspanError) {
                    if !isNamed, document.json.object?["policyId"] == nil { continue }
                    if document.json.object?["thingId"] != nil { continue }
                    let policy = try Policy.parse(document.json, id: nil)
                    if let known = policies.updateValue(policy, forKey: policy.id), known != policy {
                        let problem = document.diagnostic(
                            at: "/policyId", "there are two policies '\(policy.id)'", hint: "keep one of them")
                        if let problem { diagnostics.append(problem) }
                    }
                    if isNamed { ids.append(policy.id) }
                } catch {
                    let problem = document.diagnostic(at: "", Self.unstopped(error.message), hint: error.description)
                    if let problem { diagnostics.append(problem) }
                }
            }
            seen.formUnion(loaded.files)
        }
        let report = DiagnosticReport(diagnostics, fileCount: count)
        if !diagnostics.isEmpty { StandardError.write(report.text(isColoured: StandardError.isTerminal)) }
        guard report.errorCount == 0 else { throw ExitCode(2) }
        self.policies = policies
        named = path.map { ($0, ids) }
    }

    /// Whether a text names a file rather than a policy: it has a slash, which ids do not, or a suffix of our files.
    static func isFile(_ text: String) -> Bool {
        text.contains("/") || [".yaml", ".yml", ".json"].contains { text.hasSuffix($0) }
    }

    /// The policy of the file that was named.
    func onlyPolicy() throws -> PolicyID {
        guard let named, let id = named.ids.first else {
            throw ServiceTrouble(
                what: "there is no policy in \(named?.path ?? "the files")",
                hint: "a policy is a document with 'policyId' and 'entries'")
        }
        guard named.ids.count == 1 else {
            throw ServiceTrouble(
                what: "\(named.path) holds several policies: \(named.ids.map(\.text).joined(separator: ", "))",
                hint: "name one of them: --policy \(id) --policy-dir \(named.path)")
        }
        return id
    }

    /// Puts a question to a policy, with what it imports and with the roots of its namespace.
    func explain(
        _ question: AccessQuestion, under id: PolicyID, roots: NamespaceRoots
    ) throws -> PolicyExplanation {
        guard let policy = policies[id] else {
            let ids = policies.keys.sorted().map(\.text)
            throw ServiceTrouble(
                what: "there is no policy '\(id)' in the files",
                hint: NearestName.find(id.text, among: ids).map { "did you mean '\($0)'?" }
                    ?? "there are: \(ids.prefix(8).joined(separator: ", "))\(ids.count > 8 ? ", …" : "")")
        }
        let lookup = { (other: PolicyID) in policies[other].map { PolicyLookup.found($0) } ?? .absent }
        guard case .resolved(let resolved) = policy.resolved(roots: roots.roots(of: id), lookup: lookup) else {
            // Everything that is not in the files is absent, so nothing has to be loaded.
            throw ServiceTrouble(what: "the policy '\(id)' cannot be resolved", hint: "check its imports")
        }
        let missing = resolved.dependencies.filter { policies[$0] == nil }
        if let first = missing.first {
            StandardError.write("the policy '\(first)' is not in the files: add its file with --policy-dir.\n")
        }
        return PolicyExplanation(question, under: resolved, missing: missing, nearest: NearestName.find)
    }

    /// Without the full stop that a diagnostic sets itself.
    private static func unstopped(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }
}
