// `twinspan simulate`: a fleet of sensors that publishes real MQTT messages to a broker.
import ArgumentParser
import Glibc
import Synchronization
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Publish the messages of a simulated fleet.",
        discussion: """
            Each device is a thing with a temperature and a humidity. It publishes Ditto Protocol commands with QoS 1 \
            to <topic>/<thing id>: first one that creates the thing, then readings, all devices in turn. The policy \
            has to exist. Exit code 0: the broker confirmed everything, 1: it did not, 2: wrong usage.

            Examples:
              twinspan simulate
              twinspan simulate --devices 1000 --rate 5000 --broker tcp://broker.local:1883 --duration 1m
            """)

    @Option(name: .long, help: "How many devices.")
    var devices = 20

    @Option(name: .long, help: "Messages per second of all devices together.")
    var rate = 200

    @Option(name: .long, help: ArgumentHelp("The broker.", valueName: "uri"))
    var broker = "tcp://127.0.0.1:1883"

    @Option(name: .long, help: "The first part of the topics.")
    var topic = "telemetry"

    @Option(name: .long, help: "The namespace of the things.")
    var namespace = "demo"

    @Option(name: .long, help: ArgumentHelp("The policy of the things; <namespace>:policy if not given.", valueName: "id"))
    var policy: String?

    @Option(name: .long, help: "When to end, e.g. 30s, 5m or 1h; without it and --count, Ctrl-C ends it.")
    var duration: String?

    @Option(name: .long, help: "How many readings to publish before the end.")
    var count: Int?

    @Option(name: .long, help: "The seed of the random values; the same seed gives the same readings.")
    var seed: UInt64 = 1

    @Flag(help: "Print the summary as JSON, and no progress.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(devices) else { throw ValidationError("--devices is 1 to 1000000") }
        guard (1...1_000_000).contains(rate) else { throw ValidationError("--rate is 1 to 1000000 messages per second") }
        if let count, count < 0 { throw ValidationError("--count is not negative") }
        if let duration, Self.seconds(duration) == nil {
            throw ValidationError("--duration is a number with ms, s, m or h, e.g. 30s; not '\(duration)'")
        }
        if topic.isEmpty || topic.contains("#") || topic.contains("+") {
            throw ValidationError("--topic is a topic without wildcards; devices add their id to it")
        }
    }

    func run() throws {
        var fleet: SimulatedFleet
        let publisher: FleetPublisher
        do throws(TwinspanError) {
            fleet = try SimulatedFleet(
                count: devices, namespace: namespace, policyID: policy ?? "\(namespace):policy", seed: seed)
            publisher = try FleetPublisher(broker: try brokerURI(), name: "twinspan-simulate-\(getpid())")
        } catch {
            throw ValidationError([error.message, error.description].compactMap { $0 }.joined(separator: " "))
        }
        let interrupt = Interrupt()
        ProcessSignals.install { _ in interrupt.request() }
        publisher.start()
        var feed = FleetFeed(
            publisher: publisher, clock: SystemClock(), topic: topic, rate: rate, countLimit: count,
            secondsLimit: duration.flatMap(Self.seconds))
        let progress = SimulationProgress(isSilent: json, rate: rate)
        feed.run(&fleet, until: interrupt, progress: progress)
        publisher.stop(grace: .seconds(10))
        try finish(feed, publisher.snapshot, progress)
    }

    private func brokerURI() throws(TwinspanError) -> ConnectionURI {
        do throws(ConnectionURIError) {
            let uri = try ConnectionURI.parse(broker)
            guard ["tcp", "mqtt", "ssl", "mqtts"].contains(uri.scheme) else {
                throw ConnectionURIError(
                    range: 0..<uri.scheme.utf8.count, message: "'\(uri.scheme)' is no scheme of MQTT",
                    hint: "write tcp://host:port, or ssl://host:port for TLS")
            }
            return uri
        } catch {
            throw TwinspanError(
                code: "broker", status: 400, message: "--broker: \(error.message).", description: error.hint)
        }
    }

    private func finish(_ feed: FleetFeed, _ tally: FleetPublisher.Tally, _ progress: SimulationProgress) throws {
        let missing = feed.published - tally.confirmed
        let isComplete = missing == 0 && tally.wasOpen
        if json {
            let summary = JSONObject([
                ("devices", .number(JSONNumber(devices))), ("published", .number(JSONNumber(feed.published))),
                ("confirmed", .number(JSONNumber(tally.confirmed))), ("refused", .number(JSONNumber(tally.refused))),
                ("seconds", .number(JSONNumber(feed.seconds))), ("success", .bool(isComplete)),
            ])
            StandardOutput.write(JSONValue.object(summary).text + "\n")
        } else {
            progress.end()
            let perSecond = feed.seconds > 0 ? Double(tally.confirmed) / feed.seconds : 0
            StandardOutput.write(
                "\(devices) devices published \(feed.published) messages in \(fixed(feed.seconds, 1)) s"
                    + " (\(fixed(perSecond, 0))/s); the broker confirmed \(tally.confirmed).\n")
        }
        guard !isComplete else { return }
        if let failure = tally.failure {
            StandardError.write("\(broker): \(failure.message)\n")
            if let hint = failure.hint { StandardError.write("  → \(hint)\n") }
        }
        if let refusal = tally.lastRefusal { StandardError.write("\(tally.refused) refused, the last: \(refusal)\n") }
        throw ExitCode(1)
    }

    /// The seconds of `30s`, `500ms`, `5m`, `1h` or a bare number.
    private static func seconds(_ text: String) -> Double? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let units = ["ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600]
        guard let number = Double(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        return number * unit
    }
}

/// A wish to end, from a signal.
final class Interrupt: Sendable {
    private let flag = Atomic<Bool>(false)
    func request() { flag.store(true, ordering: .releasing) }
    var isRequested: Bool { flag.load(ordering: .acquiring) }
}

/// Offers the fleet's messages to the publisher at a steady rate. Confined to the thread that runs it.
struct FleetFeed {
    let publisher: FleetPublisher
    let clock: SystemClock
    let topic: String
    let rate: Int
    let countLimit: Int?
    let secondsLimit: Double?
    /// Messages handed to the publisher, creations included.
    private(set) var published = 0
    private(set) var seconds = 0.0
    private var readings = 0

    init(
        publisher: FleetPublisher, clock: SystemClock, topic: String, rate: Int, countLimit: Int?, secondsLimit: Double?
    ) {
        self.publisher = publisher
        self.clock = clock
        self.topic = topic
        self.rate = rate
        self.countLimit = countLimit
        self.secondsLimit = secondsLimit
    }

    /// Publishes until a limit, a signal, or the end of the publisher.
    mutating func run(_ fleet: inout SimulatedFleet, until interrupt: Interrupt, progress: SimulationProgress) {
        let start = clock.monotonic
        defer { seconds = Double(clock.monotonic - start) / 1e9 }
        for creation in fleet.creations() where !offer(creation, interrupt) { return }
        var due = clock.monotonic
        let interval = UInt64(1_000_000_000 / rate)
        while !isOver(interrupt, start) {
            let now = clock.monotonic
            // What could not be sent in time is not made up for in a burst: a second behind starts anew.
            if now > due, now - due > 1_000_000_000 { due = now }
            while due <= now, countLimit.map({ readings < $0 }) ?? true {
                guard offer(fleet.reading(), interrupt) else { return }
                readings += 1
                due += interval
            }
            progress.show(published: published, tally: publisher.snapshot, now: now)
            usleep(UInt32(min(max((due > now ? due - now : 0) / 1000, 500), 20_000)))
        }
        waitForConfirmations(interrupt)
    }

    private func isOver(_ interrupt: Interrupt, _ start: UInt64) -> Bool {
        if interrupt.isRequested || publisher.snapshot.hasEnded { return true }
        if let countLimit, readings >= countLimit { return true }
        return secondsLimit.map { Double(clock.monotonic - start) / 1e9 >= $0 } ?? false
    }

    /// Waits while the queue is full; false when it is no use any more.
    private mutating func offer(_ message: (id: ThingID, payload: [UInt8]), _ interrupt: Interrupt) -> Bool {
        let topic = "\(topic)/\(message.id)"
        while !publisher.offer(topic: topic, payload: message.payload, at: clock.monotonic) {
            if interrupt.isRequested || publisher.snapshot.hasEnded { return false }
            usleep(1000)
        }
        published += 1
        return true
    }

    private func waitForConfirmations(_ interrupt: Interrupt) {
        let deadline = clock.monotonic + 10_000_000_000
        while clock.monotonic < deadline {
            let tally = publisher.snapshot
            if tally.confirmed + tally.refused >= published || tally.hasEnded { return }
            usleep(2000)
        }
    }
}

/// One line that is written again and again on a terminal; a line every five seconds elsewhere.
final class SimulationProgress: Sendable {
    private struct Last {
        var shownAt: UInt64 = 0
        var confirmed = 0
        var isLineOpen = false
    }

    private let isSilent: Bool
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let rate: Int
    private let last = Mutex(Last())

    init(isSilent: Bool, rate: Int) {
        self.isSilent = isSilent
        self.rate = rate
    }

    func show(published: Int, tally: FleetPublisher.Tally, now: UInt64) {
        let line = last.withLock { last -> String? in
            let interval: UInt64 = isTerminal ? 1_000_000_000 : 5_000_000_000
            guard !isSilent else { return nil }
            if last.shownAt == 0 { last.shownAt = now }
            guard now - last.shownAt >= interval else { return nil }
            let perSecond = Double(tally.confirmed - last.confirmed) / (Double(now - last.shownAt) / 1e9)
            last.shownAt = now
            last.confirmed = tally.confirmed
            last.isLineOpen = isTerminal
            let state = tally.isOpen ? "" : "   \(tally.failure?.message ?? "connecting")"
            return "published \(published)   confirmed \(tally.confirmed)   \(fixed(perSecond, 0))/s of \(rate)/s\(state)"
        }
        guard let line else { return }
        StandardOutput.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n")
    }

    /// Ends the line that was written again and again.
    func end() {
        if last.withLock({ $0.isLineOpen }) { StandardOutput.write("\r\u{1B}[K") }
    }
}
