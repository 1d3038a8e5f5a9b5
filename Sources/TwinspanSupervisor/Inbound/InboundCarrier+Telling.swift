// What the connection's log and tap are told of messages that pass. Only what somebody reads is put into words.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

extension InboundCarrier {
    /// Carries a message out again that waits in the inbox.
    func carry(_ message: InboxMessage) {
        let kept = message.message
        let batch = MessageBatch()
        Array(kept.address.utf8).withUnsafeBytes { address in
            kept.payload.withUnsafeBytes { payload in
                batch.append(
                    address: address, payload: payload, source: kept.source, qos: kept.qos,
                    isRetained: kept.isRetained, headers: kept.headers, isBinary: kept.isBinary)
            }
        }
        let isTapped = accounts.recorder.isTapped
        var tally = BatchTally(sources: stages.sources.count)
        batch.bytes.withUnsafeBytes { bytes in
            carry(
                batch.messages[0], batch, bytes, isTold: isTapped || accounts.recorder.logsSuccesses,
                isTapped: isTapped, rerun: message, &tally)
        }
        // Nobody waits for this commit, so somebody has to begin it.
        engine.commitSoon()
        if tally.isRefused { return inbox.conclude(message.id, .interrupted) }
        accounts.counters.add(tally.counts)
    }

    /// The message of a turn as the inbox and the dead letters keep it.
    func kept(_ turn: Turn) -> KeptMessage {
        let transport = turn.passage.transport
        return KeptMessage(
            connection: stages.connectionID, source: turn.passage.source.index, address: transport.address,
            payload: Array(turn.passage.payload), headers: transport.message.headers, qos: transport.message.qos,
            isRetained: transport.message.isRetained, receivedAt: turn.passage.now,
            isBinary: transport.message.isBinary)
    }

    func tellConsumed(_ turn: Turn) {
        let origin = SignalOrigin(
            source: turn.passage.source.index, address: turn.passage.transport.address, headers: DittoHeaders())
        accounts.recorder.note(
            accounts.note(
                .source(origin.source), .consumed, "Received signal.", origin,
                details: turn.isTapped
                    ? [
                        ("bytes", "\(turn.passage.payload.count)"), ("qos", "\(turn.passage.transport.message.qos)"),
                        ("payload", Self.shortened(turn.passage.payload)),
                    ] : []))
    }

    func tellDropped(_ mapper: String, _ reason: String, _ turn: Turn) {
        let origin = SignalOrigin(
            source: turn.passage.source.index, address: turn.passage.transport.address, mapper: mapper,
            headers: DittoHeaders())
        accounts.recorder.note(
            accounts.note(
                .source(origin.source), .dropped,
                "Payload mapping of mapper <\(mapper)> returned null, incoming message is dropped", origin,
                reason: "mapper", details: turn.isTapped ? [("mapper", mapper), ("cause", reason)] : []))
    }

    func tellMapped(_ draft: SignalDraft, _ mapper: String, _ turn: Turn) {
        let origin = origin(draft, mapper, turn)
        var details: [(name: String, value: String)] = []
        if turn.isTapped {
            details = [
                ("mapper", mapper), ("topic", draft.envelope.topic.text), ("path", "\(draft.envelope.path)"),
                ("subjects", draft.context?.subjects.joined(separator: ", ") ?? ""),
            ]
            if let value = draft.envelope.value {
                details.append(("value", value.bytes.withUnsafeBytes { Self.shortened($0) }))
            }
        }
        accounts.recorder.note(
            accounts.note(.source(origin.source), .mapped, "Mapped incoming signal.", origin, details: details))
        guard let input = turn.passage.enforced else { return }
        accounts.recorder.note(
            accounts.note(
                .source(origin.source), .enforced, "Successfully applied enforcement on incoming signal.", origin,
                details: turn.isTapped ? [("input", input), ("filter", draft.filter?.text ?? "")] : []))
    }

    /// The beginning of a text, short enough for a line.
    private static func shortened(_ bytes: UnsafeRawBufferPointer) -> String {
        let maximum = 256
        let text = String(decoding: bytes.prefix(maximum), as: UTF8.self)
        return bytes.count > maximum ? text + "…" : text
    }
}
