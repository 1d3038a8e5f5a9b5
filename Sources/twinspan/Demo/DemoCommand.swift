// `twinspan demo`, the second half of `make run`: starts a broker if none answers, the service, and a simulated fleet,
// each as a child process, and shows live what comes of it. Runs on the main thread.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanProtocol

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a broker, the service and a simulated fleet, and show them live.",
        discussion: """
            Starts Mosquitto unless a broker answers on loopback, then `twinspan serve` with ./connections, then \
            `twinspan simulate`. On a terminal it shows a screen, elsewhere a line every five seconds. Ctrl-C ends \
            everything it has started.

            Examples:
              twinspan demo
              twinspan demo --devices 100 --rate 2000 --duration 60
            """)

    @Option(name: .long, help: "How many devices.")
    var devices = 20

    @Option(name: .long, help: "Messages per second of all devices together.")
    var rate = 200

    @Option(name: .long, help: "The port of HTTP on 127.0.0.1.")
    var httpPort = 8080

    @Option(name: .long, help: "The port of the broker on 127.0.0.1.")
    var brokerPort = 1883

    @Option(name: .long, help: "The directory with the connections.")
    var connections = "connections"

    @Option(name: .long, help: "The file with the policy of the things.")
    var policy = "policies/demo.json"

    @Option(name: .long, help: "Where the twins and the logs are kept.")
    var data = ".build/demo-data"

    @Option(name: .long, help: ArgumentHelp("End after this many seconds.", valueName: "seconds"))
    var duration: Int?

    @Flag(help: .hidden)
    var withoutTitle = false

    func run() throws {
        let interrupt = Interrupt()
        ProcessSignals.install { _ in interrupt.request() }
        if !withoutTitle { StandardOutput.write(title) }
        var demo = DemoRun(settings: self, interrupt: interrupt)
        // Whatever was started ends, also when a later piece did not start.
        defer { demo.end() }
        do throws(ChildFailure) {
            try demo.start()
            try demo.show()
        } catch {
            StandardError.write("\(error.description)\n")
            throw ExitCode(1)
        }
    }

    var address: String { "http://127.0.0.1:\(httpPort)" }

    private var title: String { "\("Twinspan demo".padded(to: 59))\(address)  user ditto\n" }
}

/// The pieces of a running demo.
struct DemoRun {
    let settings: DemoCommand
    let interrupt: Interrupt
    private let screen = TerminalScreen()
    private var broker: DemoBroker?
    private var service: ChildProcess?
    private var fleet: ChildProcess?
    private var client: PlainHTTPClient

    /// Things the table can show at most.
    private static let rowMaximum = 40
    private static let policyID = "demo:policy"

    init(settings: DemoCommand, interrupt: Interrupt) {
        self.settings = settings
        self.interrupt = interrupt
        client = PlainHTTPClient(host: "127.0.0.1", port: settings.httpPort)
    }

    // MARK: Start

    mutating func start() throws(ChildFailure) {
        guard mkdir(settings.data, 0o700) == 0 || errno == EEXIST else {
            throw ChildFailure(description: "cannot create \(settings.data): \(SystemError.text(errno))")
        }
        broker = try DemoBroker(port: settings.brokerPort, directory: settings.data)
        guard !client.isAnswering else {
            throw ChildFailure(
                description: "port \(settings.httpPort) is in use.\n  → name another: make run HTTP_PORT=8081")
        }
        try startService()
        try logIn()
        try seedPolicy()
        fleet = try ChildProcess(
            "simulate",
            [
                Self.program, "simulate", "--devices", "\(settings.devices)", "--rate", "\(settings.rate)", "--broker",
                "tcp://127.0.0.1:\(settings.brokerPort)", "--policy", Self.policyID,
            ], logPath: "\(settings.data)/simulate.log")
    }

    private mutating func startService() throws(ChildFailure) {
        // The example connections read the broker's address from the environment.
        let service = try ChildProcess(
            "serve",
            [
                "/usr/bin/env", "BROKER=127.0.0.1:\(settings.brokerPort)", Self.program, "serve", "--connections",
                settings.connections, "--data", settings.data, "--http", "127.0.0.1:\(settings.httpPort)",
                // The demo shows its own devices and nothing of the examples.
                "--set", "policies=[]", "--set", "things=[]",
            ], logPath: "\(settings.data)/serve.log")
        self.service = service
        let reader = DemoReader(client: client)
        for _ in 0..<600 where service.isRunning && !reader.isReady && !interrupt.isRequested { usleep(50_000) }
        if interrupt.isRequested { return }
        guard service.isRunning, reader.isReady else {
            throw ChildFailure(description: "the service is not ready:\n\(service.logTail(lines: 12))")
        }
    }

    /// Takes the password of the user ditto from the file that the first start has made.
    private mutating func logIn() throws(ChildFailure) {
        let path = "\(settings.data)/credentials"
        let line = (SmallFile.text(at: path) ?? "").split(separator: "\n").first { $0.hasPrefix("ditto:") }
        guard let line else {
            if interrupt.isRequested { return }
            throw ChildFailure(description: "there is no user ditto in \(path)")
        }
        client.user = "ditto"
        client.password = String(line.dropFirst("ditto:".count))
    }

    private func seedPolicy() throws(ChildFailure) {
        guard let body = SmallFile.bytes(at: settings.policy) else {
            throw ChildFailure(description: "cannot read \(settings.policy): \(SystemError.text(errno))")
        }
        if interrupt.isRequested { return }
        let path = "/api/2/policies/\(Self.policyID)"
        let answer = client.request("PUT", path, body: body, contentType: "application/json")
        guard let answer, [201, 204].contains(answer.status) else {
            throw ChildFailure(
                description: "the policy was not taken: \(answer.map { "\($0.status) \($0.text)" } ?? "no answer")")
        }
    }

    /// This very program.
    private static var program: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard let start = buffer.baseAddress else { return "twinspan" }
            let count = readlink("/proc/self/exe", start, buffer.count)
            guard count > 0 else { return "twinspan" }
            return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
        }
    }

    // MARK: Show

    /// Shows the demo until a signal, the end of a piece, or the end of the wanted time.
    mutating func show() throws(ChildFailure) {
        guard let service, let fleet, !interrupt.isRequested else { return }
        let ids = thingIDs
        var view = DemoView(
            broker: broker?.description ?? "", links: links, rows: [], thingCount: settings.devices,
            address: settings.address, password: client.password ?? "")
        var reader = DemoReader(client: client)
        let clock = SystemClock()
        let start = clock.monotonic
        var next = start
        screen.begin()
        defer { screen.end() }
        while !interrupt.isRequested {
            for child in [service, fleet] where !child.isRunning {
                throw ChildFailure(description: "\(child.name) has ended:\n\(child.logTail(lines: 12))")
            }
            let now = clock.monotonic
            if let duration = settings.duration, now - start > UInt64(duration) * 1_000_000_000 { return }
            if now >= next {
                reader.update(&view, ids: Array(ids.prefix(screen.isTerminal ? screen.size.lines : 1)))
                view.residentBytes = service.residentBytes
                screen.isTerminal
                    ? screen.show(view.screen(columns: screen.size.columns, lines: screen.size.lines))
                    : StandardOutput.write(view.line + "\n")
                next = max(next + (screen.isTerminal ? 1_000_000_000 : 5_000_000_000), now)
            }
            usleep(50_000)
        }
    }

    private var thingIDs: [ThingID] {
        let count = min(settings.devices, Self.rowMaximum)
        // The namespace and the names are our own, so they are legal.
        let fleet = try? SimulatedFleet(
            count: settings.devices, namespace: "demo", policyID: Self.policyID, seed: 1)
        return Array((fleet?.ids ?? []).prefix(count))
    }

    private var links: [DemoView.Link] {
        ConnectionFiles.load(paths: [settings.connections], rules: Adapters.bindingRules).connections.map {
            DemoView.Link(id: $0.id.text, state: "–", sources: $0.sources.count, targets: $0.targets.count)
        }
    }

    // MARK: End

    /// Ends what was started, in the order in which nothing is lost.
    mutating func end() {
        let children = [fleet, service, broker?.child].compactMap { $0 }
        for child in children { child.end(patience: .seconds(12)) }
        if !children.isEmpty { StandardOutput.write("ended \(children.map(\.name).joined(separator: ", "))\n") }
    }
}
