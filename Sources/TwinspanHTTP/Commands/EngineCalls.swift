// Runs commands without blocking the caller's thread: what is in memory is answered at once, the rest on threads that
// may wait for the store. What comes back is durable.
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// The engine as requests see it.
struct EngineCalls: Sendable {
    let engine: TwinEngine
    let waits: CommitWaits
    let storeCalls: BlockingCalls

    /// The answer to a command, once everything it depends on is committed. Errors are answers too.
    func answer(
        to command: ThingCommand, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> ThingResponse {
        let outcome: Outcome<ThingResponse>
        if let loaded = engine.executeIfLoaded(command, as: context) {
            outcome = loaded
        } else {
            outcome = try await loading { [engine] in engine.execute(command, as: context) }
        }
        try await waits.settle(outcome.ticket, patience: patience)
        return try outcome.result.get()
    }

    /// As for things.
    func answer(
        to command: PolicyCommand, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> PolicyResponse {
        let outcome: Outcome<PolicyResponse>
        if let loaded = engine.executeIfLoaded(command, as: context) {
            outcome = loaded
        } else {
            outcome = try await loading { [engine] in engine.execute(command, as: context) }
        }
        try await waits.settle(outcome.ticket, patience: patience, unavailable: PolicyErrorTable.unavailable)
        return try outcome.result.get()
    }

    /// Several things at once, as an array.
    func answer(
        to command: RetrieveThings, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> JSONText {
        let outcome: Outcome<JSONText>
        if let loaded = engine.executeIfLoaded(command, as: context) {
            outcome = loaded
        } else {
            outcome = try await loading { [engine] in engine.execute(command, as: context) }
        }
        try await waits.settle(outcome.ticket, patience: patience)
        return try outcome.result.get()
    }

    private func loading<Response: Sendable>(
        _ execute: @escaping @Sendable () -> Outcome<Response>
    ) async throws(TwinspanError) -> Outcome<Response> {
        guard let outcome = await storeCalls.run(execute) else {
            throw GeneralErrorTable.serviceUnavailable.error()
        }
        return outcome
    }
}
