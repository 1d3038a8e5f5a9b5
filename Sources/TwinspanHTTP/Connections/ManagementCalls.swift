// Calls of the registry, on threads that may wait: those that only look, and those that wait for a broker, so that a
// broker that does not answer keeps nobody from looking. Most processes never need them, so they start when they do.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// The registry as requests see it.
final class ManagementCalls: Sendable {
    /// Commands that wait for a broker at a time, and those that wait for their turn.
    private static let slowThreads = 6
    private static let slowMaximum = 32

    private let registry: (any ConnectionRegistry)?
    private let quick = Mutex<BlockingCalls?>(nil)
    private let slow = Mutex<BlockingCalls?>(nil)
    private let slowCount = Atomic<Int>(0)

    init(registry: (any ConnectionRegistry)?) {
        self.registry = registry
    }

    /// Runs what looks, or waits for the store at most.
    func look<Result: Sendable>(
        _ body: @escaping @Sendable (any ConnectionRegistry) throws(TwinspanError) -> Result
    ) async throws(TwinspanError) -> Result {
        try await run(body, on: calls(quick, threads: 2))
    }

    /// Runs what reads the store and needs no registry.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable () throws(TwinspanError) -> Value
    ) async throws(TwinspanError) -> Value {
        try await run(body, on: calls(quick, threads: 2))
    }

    /// Runs what may wait for a broker. Throws `too.many.requests` (429) when too many do.
    func command<Result: Sendable>(
        _ body: @escaping @Sendable (any ConnectionRegistry) throws(TwinspanError) -> Result
    ) async throws(TwinspanError) -> Result {
        let count = slowCount.wrappingAdd(1, ordering: .relaxed).newValue
        defer { slowCount.wrappingSubtract(1, ordering: .relaxed) }
        guard count <= Self.slowMaximum else {
            throw GatewayErrorTable.tooManyRequests.error(
                "Too many commands on connections are being carried out.", description: "Try again in a moment.")
        }
        return try await run(body, on: calls(slow, threads: Self.slowThreads))
    }

    private func calls(_ place: borrowing Mutex<BlockingCalls?>, threads: Int) -> BlockingCalls {
        place.withLock { calls in
            if let calls { return calls }
            let made = BlockingCalls(threads: threads)
            calls = made
            return made
        }
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable (any ConnectionRegistry) throws(TwinspanError) -> Value, on calls: BlockingCalls
    ) async throws(TwinspanError) -> Value {
        guard let registry else {
            throw GeneralErrorTable.serviceUnavailable.error("This service manages no connections.")
        }
        return try await run({ () throws(TwinspanError) in try body(registry) }, on: calls)
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(TwinspanError) -> Value, on calls: BlockingCalls
    ) async throws(TwinspanError) -> Value {
        let result = await calls.run { () -> Result<Value, TwinspanError> in
            do throws(TwinspanError) { return .success(try body()) } catch { return .failure(error) }
        }
        guard let result else { throw GeneralErrorTable.serviceUnavailable.error() }
        return try result.get()
    }
}
