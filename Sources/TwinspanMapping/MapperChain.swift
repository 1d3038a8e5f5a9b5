// The `payloadMapping` of a source, a target or a reply target made ready: decoders, conditions, block lists, limits
// and mappers in their order (spec/mapping.md §4). With one mapper that nothing stands before, the way through costs no
// more than calling it.
public import TwinspanProtocol

/// The mappers of one place, in their order.
public struct MapperChain: Sendable {
    /// What came of one mapper for one message.
    public enum Inbound {
        case signals(MappedSignals)
        /// A condition, the block list or the mapper itself left the message out; why, for people.
        case dropped(String)
        case failed(MappingFailure)
    }

    /// The most messages one mapper may make of one message, in each direction (§4.4).
    public static let messagesMax = 10

    let entries: [MapperEntry]
    private let messagesMax: Int

    /// Throws `connectivity:connection.configuration.invalid` for a name that leads to no mapper, and what a mapper
    /// says to its options.
    /// - Parameters:
    ///   - names: entries of `payloadMapping`; empty means `Ditto`.
    ///   - definitions: kind and definition by name.
    ///   - messagesMax: the most messages one mapper may make of one message, in each direction.
    public init(
        _ names: [String], definitions: [String: (engine: String, definition: MapperDefinition)] = [:],
        registry: MapperRegistry = .builtIn, messagesMax: Int = MapperChain.messagesMax
    ) throws(TwinspanError) {
        var entries: [MapperEntry] = []
        for name in names.isEmpty ? ["Ditto"] : names {
            entries.append(try MapperEntry(name, definitions: definitions, registry: registry))
        }
        if case .decoder = entries.last?.stage {
            // What a decoder gives has to be read by somebody: behind the last one it is a Ditto Protocol message.
            entries.append(MapperEntry(implied: DittoMapper(), blocked: DittoMapper.honoNotifications))
        }
        self.entries = entries
        self.messagesMax = messagesMax
    }

    /// Whether every mapper takes microseconds only.
    public var isQuick: Bool { mappers.allSatisfy(\.isQuick) }

    /// Names of the mappers, for logs.
    public var names: [String] { mappers.map(\.name) }

    /// Whether a mapper or a condition reads external headers other than `content-type`.
    public var needsHeaders: Bool {
        entries.contains { !$0.incomingConditions.isEmpty } || mappers.contains(where: \.readsHeaders)
    }

    private var mappers: [any PayloadMapper] { entries.compactMap(\.mapper) }

    // MARK: Inbound

    /// Gives a message to each mapper in turn. A decoder changes the message for the mappers behind it; one that fails
    /// ends the chain.
    /// - Parameter body: called once per mapper with its name and what came of it, and for a decoder that fails.
    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8],
        _ body: (_ mapper: String, Inbound) -> Void
    ) {
        run(from: 0, message, scene, scratch: &scratch, body)
    }

    /// Recurses once per decoder, whose number the configuration bounds.
    private func run(
        from start: Int, _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8],
        _ body: (_ mapper: String, Inbound) -> Void
    ) {
        for index in start..<entries.count {
            let exclusion = entries[index].exclusion(of: message, scene)
            switch entries[index].stage {
            case .mapper(let mapper):
                if let exclusion {
                    body(mapper.name, .dropped(exclusion))
                } else {
                    body(mapper.name, outcome(mapper, message, scene, scratch: &scratch))
                }
            case .decoder(let decoder):
                // Left out, it lets the message pass as it is: one source may carry several formats.
                if exclusion != nil { continue }
                let decoded: [UInt8]
                do throws(TwinspanError) {
                    decoded = try decoder.decode(message)
                } catch {
                    return body(decoder.name, .failed(MappingFailure(error: error)))
                }
                let headers = message.headers.replacingContentType(with: "application/json")
                return decoded.withUnsafeBytes { payload in
                    let message = InboundMessage(payload: payload, headers: headers)
                    run(from: index + 1, message, scene, scratch: &scratch, body)
                }
            }
        }
    }

    private func outcome(
        _ mapper: any PayloadMapper, _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) -> Inbound {
        do throws(MappingFailure) {
            switch try mapper.inbound(message, scene, scratch: &scratch) {
            case .none: return .dropped("the mapper has made nothing of it")
            case .many(let envelopes) where envelopes.isEmpty: return .dropped("the mapper has made nothing of it")
            case .many(let envelopes) where envelopes.count > messagesMax && !mapper.limitsSignals:
                return .failed(MappingFailure(error: tooMany(mapper.name, envelopes.count)))
            case let signals: return .signals(signals)
            }
        } catch {
            return .failed(error)
        }
    }

    // MARK: Outbound

    /// Gives a signal to each mapper in turn.
    /// - Parameters:
    ///   - resolver: called when a condition needs it.
    ///   - body: called once per mapper with its name and the messages, none when the signal was left out.
    public func outbound(
        _ signal: OutboundSignal, _ scene: MappingScene, resolver: () -> SignalResolver,
        _ body: (_ mapper: String, Result<[MappedMessage], TwinspanError>) -> Void
    ) {
        for entry in entries {
            guard let mapper = entry.mapper else { continue }
            do throws(TwinspanError) {
                body(mapper.name, .success(try messages(entry, mapper, signal, scene, resolver)))
            } catch {
                body(mapper.name, .failure(error))
            }
        }
    }

    /// Gives a signal to one mapper only: answers go through the mapper that made the command (spec §4.4). Through the
    /// first when the name is nil or unknown.
    public func outbound(
        _ signal: OutboundSignal, through name: String?, _ scene: MappingScene, resolver: () -> SignalResolver
    ) throws(TwinspanError) -> [MappedMessage] {
        let entry = entries.first { $0.mapper != nil && $0.mapper?.name == name } ?? entries.first { $0.mapper != nil }
        guard let entry, let mapper = entry.mapper else { return [] }
        return try messages(entry, mapper, signal, scene, resolver)
    }

    private func messages(
        _ entry: MapperEntry, _ mapper: any PayloadMapper, _ signal: OutboundSignal, _ scene: MappingScene,
        _ resolver: () -> SignalResolver
    ) throws(TwinspanError) -> [MappedMessage] {
        if !entry.outgoingConditions.isEmpty, !MapperEntry.hold(entry.outgoingConditions, resolver()) { return [] }
        let messages = try mapper.outbound(signal, scene)
        guard messages.count <= messagesMax else { throw tooMany(mapper.name, messages.count) }
        return messages
    }

    private func tooMany(_ mapper: String, _ count: Int) -> TwinspanError {
        .tooManyMapped(mapper, count, limit: messagesMax)
    }
}

extension TwinspanError {
    /// `connectivity:message.mapping.failed` for a mapper that makes too much of one message.
    static func tooManyMapped(_ mapper: String, _ count: Int, limit: Int) -> TwinspanError {
        GeneralErrorTable.mappingFailed.error(
            "The number of messages produced by mapper '\(mapper.shortened)' exceeded the limits.",
            description: "It has made \(count) of one message; \(limit) are allowed.")
    }

    /// `connectivity:message.mapping.failed` for a message without payload.
    static let payloadAbsent = GeneralErrorTable.mappingFailed.error(
        description: "The payload was absent or empty.")
}
