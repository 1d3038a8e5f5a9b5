// Applies the policies and things of files at the start, when the files change, and on SIGHUP. At the start a problem
// ends the process, as one of a connection does; later it is reported and everything stays as it is.
import Glibc
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// Keeps the store in step with the seed files.
final class SeedKeeper: Sendable {
    private let policies: Configuration.Paths
    private let things: Configuration.Paths
    private let engine: TwinEngine
    private let settings: EngineSettings
    private let logger: Logger
    private let state = Mutex(State())
    /// Held while seeds are applied: SIGHUP and the watch come from different threads.
    private let applying = Mutex<Void>(())

    private struct State {
        /// How the files were that were read last.
        var applied: [FileStamp] = []
        /// How they were when they were looked at last.
        var seen: [FileStamp] = []
    }

    /// - Parameter settings: those of the engine, whose limits and rules hold for seeds too.
    init(
        policies: Configuration.Paths, things: Configuration.Paths, engine: TwinEngine, settings: EngineSettings,
        logger: Logger
    ) {
        self.policies = policies
        self.things = things
        self.engine = engine
        self.settings = settings
        self.logger = logger
    }

    /// Reads all files. Prints all problems; nil when one of them is an error.
    func readAtStart() -> ReadSeeds? {
        let seeds = read()
        Self.report(seeds.diagnostics, of: seeds)
        return seeds.isValid ? seeds : nil
    }

    /// Applies what was read. Prints what the state does not allow; false when there is such a thing.
    func applyAtStart(_ seeds: ReadSeeds) -> Bool {
        let report = applying.withLock { _ in engine.apply(seeds.policies, seeds.things) }
        Self.report(seeds.diagnostics(of: report.refusals), of: seeds)
        if let failure = report.failure {
            StandardError.write("the policies and things of the files cannot be stored: \(failure.message)\n")
        }
        if report.isComplete { log(report, seeds) }
        return report.isComplete
    }

    /// Reads all files again and applies them.
    func reload(because reason: String) {
        let seeds = read()
        var problems = seeds.diagnostics.filter { $0.severity == .error }
        var failure: TwinspanError?
        if problems.isEmpty {
            let report = applying.withLock { _ in engine.apply(seeds.policies, seeds.things) }
            problems = seeds.diagnostics(of: report.refusals)
            failure = report.failure
            if report.isComplete { log(report, seeds, because: reason) }
        }
        for problem in problems {
            logger.error("policies and things not applied", metadata: ["problem": "\(problem)"])
        }
        if let failure {
            logger.error(
                "policies and things not applied", metadata: ["problem": "\(failure.code): \(failure.message)"])
        }
    }

    /// Applies files that have changed and stood still since the last look. Called about once a second.
    func lookAtFiles() {
        let now = stamps
        let isSettledChange = state.withLock { state in
            defer { state.seen = now }
            return now == state.seen && now != state.applied
        }
        if isSettledChange { reload(because: "files changed") }
    }

    /// Reads the files and remembers how they were just before: a change while they are read is seen afterwards.
    private func read() -> ReadSeeds {
        let stamps = self.stamps
        let seeds = ReadSeeds(
            policies: policies.present, things: things.present, settings: settings, now: SystemClock().now)
        state.withLock { $0.applied = stamps }
        return seeds
    }

    private var stamps: [FileStamp] {
        ConnectionFiles.files(at: policies.present + things.present).map { FileStamp(path: $0) }
    }

    private func log(_ report: SeedReport, _ seeds: ReadSeeds, because reason: String? = nil) {
        guard !seeds.isEmpty else { return }
        var metadata: Logger.Metadata = [
            "policies": Self.counts(report.policies), "things": Self.counts(report.things),
        ]
        if let reason { metadata["because"] = "\(reason)" }
        logger.info("policies and things applied", metadata: metadata)
    }

    private static func counts(_ counts: SeedReport.Counts) -> Logger.MetadataValue {
        "\(counts.made) made, \(counts.changed) changed, \(counts.leftAlone) left alone"
    }

    private static func report(_ diagnostics: [Diagnostic], of seeds: ReadSeeds) {
        guard !diagnostics.isEmpty else { return }
        let report = DiagnosticReport(diagnostics, fileCount: seeds.fileCount)
        StandardError.write(report.text(isColoured: StandardError.isTerminal))
    }
}

extension Configuration.Paths {
    /// The paths without default ones that do not exist: what was named must be there, and what nobody named need not.
    var present: [String] { isDefault ? paths.filter { access($0, R_OK) == 0 } : paths }
}
