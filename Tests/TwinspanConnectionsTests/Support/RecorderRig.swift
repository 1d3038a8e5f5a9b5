// A recorder with a clock that goes only when a test moves it.
import Synchronization
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

/// Time of day and monotonic clock of a test.
final class StandingClock: Sendable {
    private let state = Mutex((now: Int64(1_700_000_000_000), monotonic: UInt64(50_000_000_000)))

    var now: Timestamp { Timestamp(milliseconds: state.withLock { $0.now }) }
    var monotonic: UInt64 { state.withLock { $0.monotonic } }

    func advance(seconds: Int64) {
        state.withLock { state in
            state.now += seconds * 1000
            state.monotonic += UInt64(seconds) * 1_000_000_000
        }
    }

    /// Sets the time of day alone.
    func jump(seconds: Int64) { state.withLock { $0.now += seconds * 1000 } }
}

struct RecorderRig {
    let clock = StandingClock()
    let recorder: ConnectionRecorder

    init(
        _ type: ConnectionType = .mqtt, isOpen: Bool = true, sources: [[String]] = [["a/#"]],
        targets: [String] = ["out"]
    ) throws {
        let clock = clock
        recorder = ConnectionRecorder(
            connection: try sampleConnection(type, isOpen: isOpen, sources: sources, targets: targets),
            now: { clock.now }, monotonic: { clock.monotonic })
    }

    /// The measurement of an address and stage.
    func measured(_ address: String, _ stage: RecordedStage) -> ConnectionMetrics.Measurement? {
        let metrics = recorder.metrics
        return (metrics.sources + metrics.targets).first { $0.address == address }?
            .measurements.first { $0.stage == stage }
    }

    /// Successes of the last minute, hour and day.
    func counted(_ address: String, _ stage: RecordedStage) -> [Int64] {
        guard let count = measured(address, stage)?.success else { return [] }
        return [count.lastMinute, count.lastHour, count.lastDay]
    }
}

func sampleConnection(
    _ type: ConnectionType = .mqtt, id: String = "c1", isOpen: Bool = true, sources: [[String]] = [["a/#"]],
    targets: [String] = ["out"], consumerCount: Int = 1, clientCount: Int = 1, sshTunnel: JSONObject? = nil
) throws -> Connection {
    return Connection(
        id: try ConnectionID(id), type: type, isOpen: isOpen,
        uri: ConnectionURI(scheme: "tcp", host: "localhost", port: 1883),
        sources: sources.map { Source(addresses: $0, consumerCount: consumerCount, authorizationContext: []) },
        targets: try targets.map {
            Target(address: try PlaceholderTemplate.parse($0, scope: .address), topics: [], authorizationContext: [])
        }, sshTunnel: sshTunnel, clientCount: clientCount)
}
