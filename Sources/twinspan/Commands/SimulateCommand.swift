// `twinspan simulate`: a fleet of sensors that publishes real MQTT messages to a broker.
import ArgumentParser
import Glibc
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

    @Option(
        name: .long, help: ArgumentHelp("The policy of the things; <namespace>:policy if not given.", valueName: "id"))
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
        guard (1...1_000_000).contains(rate) else {
            throw ValidationError("--rate is 1 to 1000000 messages per second")
        }
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
        let uri: ConnectionURI
        do throws(ConnectionURIError) {
            uri = try ConnectionURI.parse(broker)
        } catch {
            throw TwinspanError(
                code: "broker", status: 400, message: "--broker: \(error.message);", description: error.hint)
        }
        guard ["tcp", "mqtt", "ssl", "mqtts"].contains(uri.scheme) else {
            throw TwinspanError(
                code: "broker", status: 400, message: "--broker: '\(uri.scheme)' is no scheme of MQTT;",
                description: "write tcp://host:port, or ssl://host:port for TLS")
        }
        return uri
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
