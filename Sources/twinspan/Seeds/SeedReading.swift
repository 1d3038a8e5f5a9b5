// Reads the policies and things of files: the texts by the reader of YAML, their meaning by the engine. Each problem
// gets its line here.
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// Policies and things as they were read, and where each stands.
struct ReadSeeds {
    private(set) var policies: [PolicySeed] = []
    private(set) var things: [ThingSeed] = []
    /// All problems, also of the texts.
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var fileCount = 0
    /// The documents of `policies` and `things`, at the same indices.
    private var policyDocuments: [SeedDocument] = []
    private var thingDocuments: [SeedDocument] = []

    var isValid: Bool { !diagnostics.contains { $0.severity == .error } }
    var isEmpty: Bool { policies.isEmpty && things.isEmpty }

    /// Reads files and directories.
    init(policies: [String], things: [String], settings: EngineSettings = Self.standard, now: Timestamp) {
        let policyFiles = SeedFiles.load(paths: policies)
        let thingFiles = SeedFiles.load(paths: things)
        diagnostics = policyFiles.diagnostics + thingFiles.diagnostics
        fileCount = policyFiles.files.count + thingFiles.files.count
        var seen: [String: SeedDocument] = [:]
        for document in policyFiles.documents {
            let (seed, problems) = PolicySeed.read(
                document.json, isAlwaysApplied: document.application == .always, limits: settings.limits,
                access: settings.access, now: now)
            report(problems, of: document)
            checkUnique("policy", "policyId", document, &seen)
            guard let seed else { continue }
            self.policies.append(seed)
            policyDocuments.append(document)
        }
        seen = [:]
        for document in thingFiles.documents {
            let (seed, problems) = ThingSeed.read(
                document.json, isAlwaysApplied: document.application == .always, limits: settings.limits)
            report(problems, of: document)
            checkUnique("thing", "thingId", document, &seen)
            guard let seed else { continue }
            self.things.append(seed)
            thingDocuments.append(document)
        }
    }

    /// The limits and rules of a start without configuration.
    private static let standard = EngineSettings()

    /// The problems of seeds that the state does not allow.
    func diagnostics(of refusals: [SeedReport.Refusal]) -> [Diagnostic] {
        refusals.compactMap { refusal in
            switch refusal.seed {
            case .policy(let index): policyDocuments[index].diagnostic(of: refusal.problem)
            case .thing(let index): thingDocuments[index].diagnostic(of: refusal.problem)
            }
        }
    }

    private mutating func report(_ problems: [SeedProblem], of document: SeedDocument) {
        diagnostics += problems.compactMap { document.diagnostic(of: $0) }
    }

    private mutating func checkUnique(
        _ noun: String, _ field: String, _ document: SeedDocument, _ seen: inout [String: SeedDocument]
    ) {
        guard let id = document.json.object?[field]?.string else { return }
        guard let first = seen[id] else {
            seen[id] = document
            return
        }
        let problem = SeedProblem(
            at: [field], "the \(noun) '\(id)' is defined twice", hint: "the first is at \(first.file):\(first.line)")
        report([problem], of: document)
    }

    // MARK: From one file to another

    /// Adds warnings about what refers to something that none of the files has. It may be in the store, which lint
    /// does not know; without any policy among the files nothing can be told at all.
    mutating func checkReferences() {
        guard !policies.isEmpty else { return }
        let known = Dictionary(policies.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for (seed, document) in zip(policies, policyDocuments) {
            report(Self.problems(of: seed, among: known), of: document)
        }
        for (seed, document) in zip(things, thingDocuments) where known[seed.policyID] == nil {
            report([Self.unknown(seed.policyID, at: ["policyId"])], of: document)
        }
    }

    private static func problems(of seed: PolicySeed, among known: [PolicyID: PolicySeed]) -> [SeedProblem] {
        var problems: [SeedProblem] = []
        for imported in seed.imports {
            let path = ["imports", imported.policyID.text]
            guard let policy = known[imported.policyID] else {
                problems.append(unknown(imported.policyID, at: path, isAboutKey: true))
                continue
            }
            for (index, label) in (imported.entries ?? []).enumerated() {
                guard let problem = problem(of: label, in: policy, at: path + ["entries", "\(index)"]) else { continue }
                problems.append(problem)
            }
            for (index, id) in imported.transitiveImports.enumerated()
            where !policy.imports.contains(where: { $0.policyID == id }) {
                problems.append(
                    SeedProblem(
                        isError: false, at: path + ["transitiveImports", "\(index)"],
                        "the policy '\(policy.id)' does not import '\(id)'",
                        hint: "list what it imports: \(list(policy.imports.map(\.policyID.text)))"))
            }
        }
        for entry in seed.entries {
            for (index, reference) in entry.references.enumerated() {
                guard let imported = reference.importedPolicy, let policy = known[imported] else { continue }
                let path = ["entries", entry.label, "references", "\(index)"]
                if let problem = problem(of: reference.entry, in: policy, at: path) { problems.append(problem) }
            }
        }
        return problems
    }

    /// What is wrong with taking an entry out of another policy.
    private static func problem(of label: String, in policy: PolicySeed, at path: [String]) -> SeedProblem? {
        guard let entry = policy.entries.first(where: { $0.label.hasSameBytes(as: label) }) else {
            return SeedProblem(
                isError: false, at: path, "the policy '\(policy.id)' has no entry '\(label)'",
                hint: "its entries are: \(list(policy.entries.map(\.label)))")
        }
        guard entry.importable == .never else { return nil }
        return SeedProblem(
            isError: false, at: path, "the entry '\(label)' of the policy '\(policy.id)' may never be imported",
            hint: "make it importable: explicit there")
    }

    private static func unknown(_ id: PolicyID, at path: [String], isAboutKey: Bool = false) -> SeedProblem {
        SeedProblem(
            isError: false, at: path, isAboutKey: isAboutKey, "none of the files has the policy '\(id)'",
            hint: "it has to be in the store, or the start fails")
    }

    private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
}

extension SeedDocument {
    /// The problem with its place in the file.
    fileprivate func diagnostic(of problem: SeedProblem) -> Diagnostic? {
        let steps = problem.path.map { step in
            Int(step).flatMap { "\($0)" == step ? ConfigurationPath.Step.index($0) : nil } ?? .key(step)
        }
        let suggestion = problem.path.last.flatMap { NearestName.find($0, among: problem.candidates) }
        return diagnostic(
            problem.isError ? .error : .warning, at: ConfigurationPath(steps), isAboutKey: problem.isAboutKey,
            problem.message, hint: problem.hint, suggestion: suggestion)
    }
}
