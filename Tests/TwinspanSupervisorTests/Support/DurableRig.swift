import Foundation
import Synchronization
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// Durable targets of one connection around a real engine; the broker is the test.
final class DurableRig {
    let pipeline: PipelineRig
    let wayOut: WayOut
    let readers: DurableReaders
    let targets: [DurableTarget]
    private let connected: Watched<Bool>
    private var hasEnded = false

    /// Starts the targets.
    init(
        _ pipeline: PipelineRig, _ targets: [Target], isConnected: Bool = true, sources: [Source] = [],
        mappers: MapperRegistry = .forTests
    ) throws {
        self.pipeline = pipeline
        let connected = Watched(isConnected)
        self.connected = connected
        let connection = try pipeline.connection(sources: sources, targets: targets)
        wayOut = try WayOut(connection, pipeline, isConnected: isConnected, mappers: mappers)
        wayOut.claims.declareIfDue()
        let readers = DurableReaders(pipeline.rig.engine)
        self.readers = readers
        var around = wayOut.pipeline.around
        around.isConnected = { connected.current }
        let surroundings = around
        self.targets = try targets.enumerated().compactMap { index, target in
            try DurableTarget(
                target, index: index, of: connection, surroundings, readers: readers, trouble: pipeline.trouble,
                mappers: mappers)
        }
        for target in self.targets { target.start(name: "durable") }
    }

    deinit { abandon() }

    func connect(_ isConnected: Bool) { connected.update { $0 = isConnected } }

    /// The orderly end: what is confirmed is kept.
    func stop() {
        abandon()
        for target in targets { target.finish() }
        pipeline.rig.engine.stop()
    }

    /// Ends the threads, as a crash would.
    func abandon() {
        guard !hasEnded else { return }
        hasEnded = true
        for target in targets { target.stop() }
        wayOut.claims.release()
    }

    /// Takes messages, confirms them, and returns what they say.
    func confirm(_ count: Int) throws -> [OutboundMessage] {
        let messages = try pipeline.awaitSent(count)
        for message in messages { wayOut.outcomes.confirmed(message) }
        return messages
    }

    /// Waits for a condition while time passes.
    func awaitMoment(_ what: String, advancing: Duration = .seconds(1), _ isMet: () throws -> Bool) throws {
        for _ in 0..<1_000 {
            if try isMet() { return }
            pipeline.rig.clock.advance(by: advancing)
            for target in targets { target.wake() }
            pipeline.rig.engine.commitSoon()
            usleepMilliseconds(5)
        }
        throw ScenarioFailure("\(what) never came")
    }

    func cursor(_ name: String = "c1/d") throws -> Int64? { try pipeline.rig.engine.cursors()[name] }
}

extension Target {
    /// The target as a durable one.
    func durable(_ name: String = "d", rate: Int? = nil, queue: Int? = nil) -> Target {
        var target = self
        target.name = name
        target.delivery = .durable
        target.rateLimit = rate
        target.queueLimit = queue
        return target
    }
}

extension PipelineRig {
    func create(_ thing: String = "n:t") throws { try rig.run(.create, thing, "/", #"{"attributes":{"a":0}}"#) }

    /// Sets `a` to each of these numbers; waits for the last commit.
    func count(_ numbers: ClosedRange<Int>, _ thing: String = "n:t") throws {
        for number in numbers.dropLast() { _ = try rig.send(.modify, thing, "/attributes/a", "\(number)") }
        try rig.run(.modify, thing, "/attributes/a", "\(numbers.upperBound)")
    }
}

/// The numbers in messages.
func numbers(_ messages: [OutboundMessage]) throws -> [Int] {
    try messages.compactMap { try $0.member("/value")?.int64.map { Int($0) } }
}

/// Checks that each number is there, and comes in order for the first time.
func expectInOrder(_ numbers: [Int], _ range: ClosedRange<Int>, sourceLocation: SourceLocation = #_sourceLocation) {
    var seen: Set<Int> = []
    let firsts = numbers.filter { seen.insert($0).inserted }
    #expect(firsts == Array(range), sourceLocation: sourceLocation)
}
