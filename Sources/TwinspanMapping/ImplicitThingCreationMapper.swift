// Creates the thing of a device with its first message (spec/mapping.md §5.5).
import TwinspanExpressions
import TwinspanJSON
public import TwinspanProtocol

/// Makes a create command of a template for each message; a thing that exists answers 412. Errors it is given on the
/// way out are thrown, so that they are logged; everything else is left out.
public struct ImplicitThingCreationMapper: PayloadMapper {
    public let name: String
    private let thing: JSONTemplate
    private let commandHeaders: HeaderTemplates
    private let allowsPolicyLockout: Bool

    public static let engine = MapperEngine(name: "ImplicitThingCreation", needsOptions: true) {
        definition throws(TwinspanError) in .mapper(try ImplicitThingCreationMapper(definition))
    }

    /// Throws `connectivity:message.mapper.config.invalid` for its options `thing`, `commandHeaders` and
    /// `allowPolicyLockout`. Ids without placeholders are checked.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        guard let template = try options.object("thing") else { throw options.missing("thing") }
        guard let thingID = template["thingId"]?.string else {
            throw options.invalid("thing", "It has no 'thingId'.")
        }
        try Self.check(thingID, options) { (text) throws(TwinspanError) in _ = try ThingID(text) }
        if let policyID = template["policyId"]?.string {
            try Self.check(policyID, options) { (text) throws(TwinspanError) in _ = try PolicyID(text) }
        }
        do throws(PlaceholderError) {
            thing = try JSONTemplate(.object(template), scope: .implicitThing)
        } catch {
            throw options.invalid("thing", "\(error.message) \(error.description)")
        }
        commandHeaders = try HeaderTemplates(
            try options.object("commandHeaders") ?? JSONObject(), option: "commandHeaders", scope: .implicitThing,
            options)
        allowsPolicyLockout = try options.flag("allowPolicyLockout", default: true)
    }

    private static func check(
        _ id: String, _ options: MapperOptions, _ read: (String) throws(TwinspanError) -> Void
    ) throws(TwinspanError) {
        guard try options.template(id, "thing", .implicitThing).constant != nil else { return }
        do throws(TwinspanError) { try read(id) } catch { throw options.invalid("thing", error.message) }
    }

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        let resolver = scene.resolver(message.headers)
        do throws(TwinspanError) {
            let thing = try self.thing.filled(resolver)
            let thingID = try ThingID(thing.object?["thingId"]?.string ?? "")
            var headers = DittoHeaders()
            headers[.ifNoneMatch] = "*"
            headers[.allowPolicyLockout] = .bool(allowsPolicyLockout)
            commandHeaders.set(in: &headers, resolver)
            let topic = TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: .things, channel: .twin,
                criterion: .commands(.create))
            return .one(Envelope(topic: topic, headers: headers, path: .root, value: JSONText(thing)))
        } catch {
            throw MappingFailure(error: error)
        }
    }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] {
        let envelope = try signal.envelope()
        guard case .errors = envelope.topic.criterion else { return [] }
        let members = envelope.value?.value.object ?? JSONObject()
        throw TwinspanError(
            code: members["error"]?.string ?? GeneralErrorTable.internalError.code,
            status: envelope.status ?? members["status"]?.int64.flatMap { Int(exactly: $0) } ?? 500,
            message: members["message"]?.string ?? "The thing could not be created.",
            description: members["description"]?.string, href: members["href"]?.string)
    }
}
