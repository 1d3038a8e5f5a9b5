// Scenarios of opening, failing and closing.
import Glibc
import TwinspanConnections

extension AdapterScenario {
    static let lifecycle: [AdapterScenario] = [
        AdapterScenario("a session opens, names its steps in order and closes on request") { harness in
            let session = SessionThread(
                try harness.consumer(id: "open", reading: harness.address("open"), inlet: TestInlet()))
            try session.awaitOpen()
            let steps = session.observer.state.current.steps
            let expected = SessionStep.allCases.filter(steps.contains)
            try require(steps == expected && steps.contains(.serve), "steps \(steps)")
            try require(try session.stop() == .stopped, "a stop must end as stopped")
        },
        AdapterScenario("a stop before the run makes that run return at once, and only that one") { harness in
            let session = try harness.consumer(id: "early", reading: harness.address("early"), inlet: TestInlet())
            session.stop(grace: .seconds(5))
            try require(try SessionThread(session).end(within: 1) == .stopped, "the run did not return")
            let second = SessionThread(session)
            try second.awaitOpen()
            try second.stop()
        },
        AdapterScenario("a session can be run again after it was stopped") { harness in
            let session = try harness.consumer(id: "again", reading: harness.address("again"), inlet: TestInlet())
            for _ in 0..<3 {
                let thread = SessionThread(session)
                try thread.awaitOpen()
                try require(try thread.stop() == .stopped, "a stop must end as stopped")
            }
        },
        AdapterScenario("a port nobody listens on is refused, and trying again may help") { harness in
            let failure = try failure(harness, host: nil, port: try LoopbackPort.free())
            try require(failure.reason == "refused" && failure.step == .connect, "\(failure)")
            try require(failure.reaction == .backOff && failure.hint != nil, "\(failure)")
        },
        AdapterScenario("a host without address is unresolved") { harness in
            let failure = try failure(harness, host: "no-such-host.invalid", port: nil)
            try require(failure.step == .resolve && failure.reaction == .backOff, "\(failure)")
            try require(failure.reason == "unresolved" || failure.reason == "timeout", "\(failure)")
        },
        AdapterScenario("a server that never answers ends the attempt at the deadline") { harness in
            let server = try LoopbackListener()
            let failure = try failure(harness, host: nil, port: server.port)
            try require(failure.reason == "timeout" && failure.reaction == .backOff, "\(failure)")
        },
        AdapterScenario("a stop cuts short the wait for a server that never answers") { harness in
            let server = try LoopbackListener()
            let connection = try harness.connection(id: "mute", reading: "mute", host: nil, port: server.port)
            let session = SessionThread(harness.adapter.consumer(for: connection, inlet: TestInlet()))
            try session.awaitStep(.authenticate)
            try require(try session.stop(grace: .milliseconds(200)) == .stopped, "a stop must end as stopped")
        },
        AdapterScenario("a host that ignores us ends the attempt at the deadline, and a stop ends it sooner") {
            harness in
            let server = try LoopbackListener(backlog: 0)
            let fillers = server.saturate()
            defer { for filler in fillers { close(filler) } }
            let failure = try failure(harness, host: nil, port: server.port)
            try require(failure.reason == "timeout" && failure.step == .connect, "\(failure)")
            let connection = try harness.connection(id: "deaf", reading: "deaf", host: nil, port: server.port)
            let session = SessionThread(harness.adapter.consumer(for: connection, inlet: TestInlet()))
            try session.awaitStep(.connect)
            try require(try session.stop(grace: .milliseconds(200)) == .stopped, "a stop must end as stopped")
        },
        AdapterScenario("a stop cuts short name resolution") { harness in
            let connection = try harness.connection(
                id: "name", reading: "name", host: "no-such-host.invalid", port: nil)
            let session = SessionThread(harness.adapter.consumer(for: connection, inlet: TestInlet()))
            try session.awaitStep(.resolve)
            // The resolver may be quick to say no; then there was nothing to cut short.
            _ = try session.stop(grace: .milliseconds(200))
        },
    ]

    private static func failure(_ harness: any AdapterHarness, host: String?, port: Int?) throws -> BrokerFailure {
        let connection = try harness.connection(id: "failing", reading: "failing", host: host, port: port)
        let consumer = harness.adapter.consumer(for: connection, inlet: TestInlet())
        let publisher = harness.adapter.publisher(
            for: connection, queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
        let failure = try SessionThread(consumer).failure()
        let other = try SessionThread(publisher).failure()
        try require(failure.reason == other.reason, "consumer \(failure), publisher \(other)")
        return failure
    }
}
