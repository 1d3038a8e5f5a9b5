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
        try await answer(
            engine.executeIfLoaded(command, as: context), patience, unavailable: ThingErrorTable.unavailable
        ) { [engine] in engine.execute(command, as: context) }
    }

    /// As for things.
    func answer(
        to command: PolicyCommand, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> PolicyResponse {
        try await answer(
            engine.executeIfLoaded(command, as: context), patience, unavailable: PolicyErrorTable.unavailable
        ) { [engine] in engine.execute(command, as: context) }
    }

    /// Several things at once, as an array.
    func answer(
        to command: RetrieveThings, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> JSONText {
        try await answer(
            engine.executeIfLoaded(command, as: context), patience, unavailable: ThingErrorTable.unavailable
        ) { [engine] in engine.execute(command, as: context) }
    }

    /// Questions about permissions, as an object of booleans.
    func answer(
        to command: CheckPermissions, as context: AuthorizationContext, patience: Duration
    ) async throws(TwinspanError) -> JSONText {
        try await answer(
            engine.executeIfLoaded(command, as: context), patience, unavailable: PolicyErrorTable.unavailable
        ) { [engine] in engine.execute(command, as: context) }
    }

    private func answer<Response: Sendable>(
        _ loaded: Outcome<Response>?, _ patience: Duration, unavailable: ErrorRow,
        _ execute: @escaping @Sendable () -> Outcome<Response>
    ) async throws(TwinspanError) -> Response {
        let outcome: Outcome<Response>
        if let loaded { outcome = loaded } else { outcome = try await loading(execute) }
        try await waits.settle(outcome.ticket, patience: patience, unavailable: unavailable)
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
