// Events as changed things: what an event says is put into the form of a thing, for consumers that know nothing of the
// Ditto Protocol (spec/mapping.md §5.2).
import TwinspanJSON
public import TwinspanProtocol

/// Makes one JSON object of each thing event; takes nothing in.
public struct NormalizedMapper: PayloadMapper {
    public let name: String
    private let fields: JSONFieldSelector?
    private let includesDeletedFields: Bool

    public static let engine = MapperEngine(name: "Normalized") { definition throws(TwinspanError) in
        .mapper(try NormalizedMapper(definition))
    }

    /// Throws `connectivity:message.mapper.config.invalid` for its options `fields` and `includeDeletedFields`.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        includesDeletedFields = try options.flag("includeDeletedFields", default: false)
        guard let text = try options.text("fields") else {
            fields = nil
            return
        }
        do throws(JSONFieldSelectorError) {
            fields = try JSONFieldSelector(parsing: text)
        } catch {
            throw options.invalid("fields", "\(error)")
        }
    }

    public var readsHeaders: Bool { false }

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) -> MappedSignals { .none }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] {
        let event = try signal.envelope()
        guard event.topic.group == .things, case .events(let action) = event.topic.criterion else { return [] }
        switch action {
        case .created, .modified, .merged: break
        case .deleted where event.path.isRoot || includesDeletedFields: break
        case .deleted, .migrated: return []
        }
        let change = JSONValue.object(normalized(event, action))
        let payload = (fields.map { $0.select(from: change) } ?? change).bytes
        return [MappedMessage(payload: payload, headers: [(name: "content-type", value: "application/json")])]
    }

    private func normalized(_ event: Envelope, _ action: TopicPath.EventAction) -> JSONObject {
        var object = ["thingId": .string(event.topic.entityID)] as JSONObject
        let value = event.value?.value
        // What was deleted has no value: the enrichment alone tells what is left.
        let written = action == .merged ? value.flatMap(Self.withoutNulls) : action == .deleted ? .none : value
        var thing = JSONMergePatch.wrap(written ?? .object(JSONObject()), at: event.path)
        if written == nil { thing = .object(JSONObject()) }
        if let extra = event.extra?.value { thing = Self.merged(thing, over: extra) }
        for (key, value) in thing.object ?? JSONObject() where key != "thingId" { object[key] = value }
        let instant = event.timestamp.map { JSONValue.string($0) }
        object["_modified"] = instant
        object["_revision"] = event.revision.map { JSONValue.number(JSONNumber($0)) }
        if action == .deleted, event.path.isRoot { object["_deleted"] = instant ?? .null }
        if includesDeletedFields { object["_deletedFields"] = deletedFields(event, action, value, instant ?? .null) }
        object["_context"] = .object(Self.context(event, value))
        return object
    }

    private static func context(_ event: Envelope, _ value: JSONValue?) -> JSONObject {
        var context = JSONObject()
        context["topic"] = .string(event.topic.text)
        context["path"] = .string(event.path.description)
        context["value"] = value ?? .null
        if let fields = event.fields { context["fields"] = .string(fields.text) }
        context["headers"] = .object(JSONObject(event.headers.entries.map { ($0.name, $0.value) }))
        return context
    }

    /// `data` with what `extra` has beside it; where both have a value, `data` has the newer one.
    private static func merged(_ data: JSONValue, over extra: JSONValue) -> JSONValue {
        guard case .object(let members) = data, case .object(var result) = extra else { return data }
        for (key, value) in members {
            result[key] = result[key].map { merged(value, over: $0) } ?? value
        }
        return .object(result)
    }

    /// A merge patch without its removals, and without the objects that hold nothing else; nil when nothing is left.
    private static func withoutNulls(_ value: JSONValue) -> JSONValue? {
        guard case .object(let object) = value else { return value.isNull ? .none : value }
        guard !object.isEmpty else { return value }
        let kept = object.members.compactMap { key, value in withoutNulls(value).map { (key, $0) } }
        return kept.isEmpty ? .none : .object(JSONObject(kept))
    }

    // MARK: Deleted fields

    /// An object that mirrors what was deleted, with the instant at each place; nil when nothing was.
    private func deletedFields(
        _ event: Envelope, _ action: TopicPath.EventAction, _ value: JSONValue?, _ instant: JSONValue
    ) -> JSONValue? {
        switch action {
        case .deleted:
            return event.path.isRoot ? .none : JSONMergePatch.wrap(instant, at: event.path)
        case .merged:
            guard let value, let removals = Self.removals(in: value, instant) else { return .none }
            return JSONMergePatch.wrap(removals, at: event.path)
        case .created, .modified, .migrated: return .none
        }
    }

    /// The nulls of a merge patch as instants. Keys that are regular expressions name no field.
    private static func removals(in value: JSONValue, _ instant: JSONValue) -> JSONValue? {
        guard case .object(let object) = value else { return value.isNull ? instant : .none }
        let removed = object.members.compactMap { key, value in
            isPattern(key) ? .none : removals(in: value, instant).map { (key, $0) }
        }
        return removed.isEmpty ? .none : .object(JSONObject(removed))
    }

    /// Whether a key has the form `{{~…~}}` or `{{/…/}}`.
    private static func isPattern(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        guard key.hasPrefix("{{"), key.hasSuffix("}}"), bytes.count >= 6 else { return false }
        let content = bytes[2..<(bytes.count - 2)].drop { $0 == 0x20 }
        guard let last = content.lastIndex(where: { $0 != 0x20 }), last > content.startIndex else { return false }
        let mark = content[content.startIndex]
        return mark == content[last] && (mark == UInt8(ascii: "~") || mark == UInt8(ascii: "/"))
    }
}
