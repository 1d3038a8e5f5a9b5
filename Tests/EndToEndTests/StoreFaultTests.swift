// A disk that is full or fails, under the real process and under traffic.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite(
        "A disk that fails", .enabled(if: Journal.unavailableReason == nil),
        .enabled(
            if: FaultInjector.unavailableReason == nil, Comment(rawValue: FaultInjector.unavailableReason ?? "")))
    struct StoreFaultTests {
        static let names = (0..<20).map { "device-\($0)" }

        /// Errors that last, and a word of the reason that `/ready` must give for them.
        static let lasting: [(call: FaultInjector.Call, error: Int32, word: String)] = [
            (.write, ENOSPC, "space"), (.write, EIO, "disk"), (.sync, EIO, "disk"), (.any, EIO, "disk"),
        ]

        @Test("while writing fails /ready gives the reason, and afterwards everything goes on and nothing is lost")
        func lastingFaults() throws {
            let traffic = try Traffic("faults", names: Self.names)
            defer { traffic.stop() }
            for fault in Self.lasting {
                try traffic.faults.set(fault.call, error: fault.error)
                let answer = try traffic.process.waitForReadiness("503 for a reason", 15) {
                    $0.status == 503 && $0.text.lowercased().contains("store")
                }
                #expect(
                    answer.text.lowercased().contains(fault.word), "\(fault): the reason is \(answer.text)")
                Thread.sleep(forTimeInterval: 1)
                traffic.faults.clear()
                try traffic.process.waitUntilReady(15)
                try traffic.expectProgress()
            }
            try traffic.finish()
        }

        @Test("one failure at any point of a commit loses nothing and tells nobody what did not happen")
        func singleFaults() throws {
            let traffic = try Traffic("points", names: Self.names)
            defer { traffic.stop() }
            let points: [(FaultInjector.Call, Int32, Int)] =
                (0..<7).map { (.write, $0 % 2 == 0 ? ENOSPC : EIO, $0) } + (0..<3).map { (.sync, EIO, $0) }
            for (call, error, skip) in points {
                try traffic.faults.set(call, error: error, skip: skip, count: 1)
                let end = Date(timeIntervalSinceNow: 10)
                while !traffic.faults.isSpent {
                    try require(Date() < end, "\(call) \(skip) did not happen: the store does not write")
                    usleep(5_000)
                }
                try traffic.expectProgress()
            }
            try traffic.finish()
        }

        @Test(
            "a file system that fills up stops intake, and space lets it go on",
            .enabled(if: geteuid() == 0, "only root can mount a small file system: this test is skipped"))
        func fullFileSystem() throws {
            let mount = NSTemporaryDirectory() + "twinspan-full-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
            defer { rmdir(mount) }
            guard Glibc.mount("tmpfs", mount, "tmpfs", 0, "size=24m") == 0 else {
                print("a small file system cannot be mounted here: a disk that fills up is NOT tested")
                return
            }
            defer { umount2(mount, Int32(MNT_DETACH)) }
            let filler = mount + "/filler"
            try Data(count: 16 << 20).write(to: URL(fileURLWithPath: filler))
            let traffic = try Traffic("full", names: Self.names, data: mount + "/data", padding: 4000)
            defer { traffic.stop() }
            try traffic.process.waitForReadiness("503 for lack of space", 60) {
                $0.status == 503 && $0.text.lowercased().contains("space")
            }
            traffic.pause()
            // What is on its way is too much for the disk, so the state lasts.
            Thread.sleep(forTimeInterval: 2)
            unlink(filler)
            try traffic.process.waitUntilReady(20)
            try traffic.expectProgress(45)
            try traffic.finish()
        }
    }
}

/// Numbered messages to some devices, without a pause, while something happens to the store.
private final class Traffic: @unchecked Sendable {
    // Unchecked: `ledger` has its lock.
    let bench: Workbench
    let faults: FaultInjector
    let process: TwinspanProcess
    private let collector: EventCollector
    private let generator: LoadGenerator
    private let names: [String]
    private let padding: Int
    private let ledger = Watched(Ledger())
    private let isRunning = Watched(true)
    private let isPaused = Watched(false)
    private let data: String

    /// - Parameter padding: bytes of an attribute that is changed before each number.
    init(_ name: String, names: [String], data: String? = nil, padding: Int = 0) throws {
        bench = try Workbench(name)
        self.names = names
        self.padding = padding
        self.data = data ?? bench.data
        faults = try FaultInjector(in: bench.directory, target: self.data)
        try bench.writePlant()
        collector = try EventCollector(port: bench.broker.port, ["events/#", "replies/#"])
        generator = LoadGenerator(port: bench.broker.port)
        process = try bench.start(data: data, environment: faults.environment)
        try process.waitUntilReady()
        try EndToEnd.LossTests.create(names, generator, collector)
        Thread.detachNewThread { [self] in run() }
    }

    func stop() {
        isRunning.update { $0 = false }
        generator.stop()
        collector.stop()
    }

    func pause() { isPaused.update { $0 = true } }

    /// A message that is sent now takes effect and is told.
    func expectProgress(_ timeout: Double = 30) throws {
        let number = ledger.update { ledger in
            let number = ledger.next(names[0])
            generator.send([message(names[0], number)])
            return number
        }
        let thing = "plant:\(names[0])"
        try collector.wait(timeout, for: "the event of a message that was sent after the fault") {
            $0.topic.hasSuffix(thing) && SeenEvent($0)?.value == "\(number)"
        }
    }

    /// Ends the traffic and the process, and looks at what is left of both.
    func finish() throws {
        isRunning.update { $0 = false }
        let sent = ledger.current
        try generator.waitForConfirmations(30)
        try EndToEnd.LossTests.expectTwins(at: sent, generator, collector)
        process.signal(SIGTERM)
        #expect(try process.waitForEnd(10) == 0)
        try collector.waitForSilence(of: 0.5, 20)
        let journal = try Journal(data: data)
        try sent.check(journal)
        try Ledger.check(collector.messages.compactMap { SeenEvent($0) }, in: journal, mayRepeat: false)
    }

    private func run() {
        var index = 0
        while isRunning.current {
            usleep(20_000)
            if isPaused.current { continue }
            ledger.update { ledger in
                // Asked under the lock: what is sent after `finish` has looked would not be in its figures.
                guard isRunning.current else { return }
                for _ in 0..<6 {
                    index += 1
                    let name = names[index % names.count]
                    if padding > 0 { generator.send([ballast(name)]) }
                    generator.send([message(name, ledger.next(name))])
                }
            }
        }
    }

    private func message(_ name: String, _ number: Int) -> LoadGenerator.Message {
        .init("telemetry/\(name)", Command.setSpeed(name, number))
    }

    /// A message that only takes space.
    private func ballast(_ name: String) -> LoadGenerator.Message {
        let value = "\"\(String(repeating: "x", count: padding))\""
        return .init(
            "telemetry/\(name)", Command.envelope(name, "modify", "/attributes/notes", value, isAnswered: false))
    }
}
