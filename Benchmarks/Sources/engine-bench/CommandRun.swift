import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// What one command costs, part by part.
struct CommandFigures {
    /// From the bytes that came in to a checked command.
    var decode: Figure
    /// `TwinEngine.execute`: judged, the thing changed, the change queued.
    var apply: Figure
    /// The engine's own part of a commit, on a store that costs next to nothing. Not in the sum: it is per batch.
    var commit: Figure
    /// The answer's bytes and, of a change, the event's.
    var encode: Figure

    var sum: Figure { decode + apply + encode }
}

/// Runs one kind of command in batches, the way a connection's session does. One stage at a time over a batch, so that
/// each can be measured without a clock reading per message.
final class CommandRun {
    /// Messages per batch; a session takes up to 400.
    static let batch = 256

    private let twin: Twin
    private let messages: [[UInt8]]
    private let isModifying: Bool
    private var commands: [ThingCommand] = []
    private var outcomes: [Outcome<ThingResponse>] = []
    private var changes: [TwinChange] = []

    init(_ workload: Workload, _ twin: Twin) {
        self.twin = twin
        messages = workload.messages
        isModifying = workload.isModifying
        commands.reserveCapacity(Self.batch)
        outcomes.reserveCapacity(Self.batch)
        changes.reserveCapacity(Self.batch)
    }

    /// Sends all messages again and again until the time is up.
    func measure(milliseconds: Int) throws -> CommandFigures {
        let subscription = twin.subscribe()
        defer { twin.engine.hub.remove(subscription) }
        var decode = Cost()
        var apply = Cost()
        var commit = Cost()
        var encode = Cost()
        var operations = 0
        let end = Cost.now + UInt64(milliseconds) * 1_000_000
        repeat {
            for start in stride(from: 0, to: messages.count, by: Self.batch) {
                let range = start..<min(start + Self.batch, messages.count)
                try decode.add { try decodeBatch(range) }
                apply.add { applyBatch() }
                try commit.add { try commitBatch() }
                if isModifying { Twin.take(range.count, from: subscription, into: &changes) }
                let bytes = try encode.add { try encodeBatch() }
                // Without a use of the result the optimiser could drop the work.
                precondition(bytes > 0, "nothing was written")
                operations += range.count
            }
        } while Cost.now < end
        return CommandFigures(
            decode: decode.perOperation(operations), apply: apply.perOperation(operations),
            commit: commit.perOperation(operations), encode: encode.perOperation(operations))
    }

    /// The bytes that go out for the first batch: per message the answer and, of a change, the event.
    func outputs() throws -> [[[UInt8]]] {
        let subscription = twin.subscribe()
        defer { twin.engine.hub.remove(subscription) }
        let range = 0..<min(Self.batch, messages.count)
        try decodeBatch(range)
        applyBatch()
        try commitBatch()
        if isModifying { Twin.take(range.count, from: subscription, into: &changes) }
        let result = try range.map { index in
            [try answer(index)] + (isModifying ? [Self.eventBytes(changes[index])] : [])
        }
        clear()
        return result
    }

    private func decodeBatch(_ range: Range<Int>) throws {
        for index in range { commands.append(try twin.decode(messages[index])) }
    }

    private func applyBatch() {
        for command in commands { outcomes.append(twin.engine.execute(command, as: twin.context)) }
    }

    private func commitBatch() throws {
        guard let ticket = outcomes.last?.ticket else { return }
        try twin.commit(ticket)
    }

    /// Writes everything that goes out, then lets go of the batch: freeing is part of its cost.
    private func encodeBatch() throws -> Int {
        var bytes = 0
        for index in commands.indices { bytes += try answer(index).count }
        for change in changes { bytes += Self.eventBytes(change).count }
        clear()
        return bytes
    }

    private func clear() {
        commands.removeAll(keepingCapacity: true)
        outcomes.removeAll(keepingCapacity: true)
        changes.removeAll(keepingCapacity: true)
    }

    private func answer(_ index: Int) throws -> [UInt8] {
        switch outcomes[index].result {
        case .success(let response): return commands[index].envelope(of: response).bytes
        case .failure(let error):
            let text = String(decoding: messages[index], as: UTF8.self)
            throw BenchFailure(description: "\(error.code): \(error.message), in answer to \(text)")
        }
    }

    static func eventBytes(_ change: TwinChange) -> [UInt8] {
        guard case .thing(let event, _) = change.content else { return [] }
        return change.envelopeBytes(of: event)
    }
}
