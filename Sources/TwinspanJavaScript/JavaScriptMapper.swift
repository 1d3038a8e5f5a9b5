// Payload mapping by scripts (spec/mapping.md §5.8), run by JavaScriptCore, which is loaded when the first such mapper
// is made and not before.
import TwinspanJSON
public import TwinspanMapping
public import TwinspanProtocol

/// Maps with a script per direction; a direction without one is mapped as by `Ditto`.
public struct JavaScriptMapper: PayloadMapper {
    public let name: String
    private let incoming: ScriptRunner?
    private let outgoing: ScriptRunner?
    private let ditto: DittoMapper

    /// A script takes microseconds or half a second, as its author likes.
    public var isQuick: Bool { incoming == nil && outgoing == nil }

    /// An incoming script sees all headers.
    public var readsHeaders: Bool { incoming != nil }

    /// The kind `JavaScript`.
    public static let engine = engine()

    /// The kind `JavaScript` with other limits or another library.
    /// - Parameter library: called when a mapper with a script is made.
    public static func engine(
        limits: ScriptLimits = .standard,
        library: @escaping @Sendable () throws(TwinspanError) -> JavaScriptEngineLibrary = JavaScriptEngineLibrary
            .standard
    ) -> MapperEngine {
        MapperEngine(name: "JavaScript", needsOptions: true) { definition throws(TwinspanError) in
            .mapper(try JavaScriptMapper(definition, limits: limits, library: library))
        }
    }

    /// Checks the options and the syntax of the scripts. They run with the first message, not now.
    private init(
        _ definition: MapperDefinition, limits: ScriptLimits,
        library: () throws(TwinspanError) -> JavaScriptEngineLibrary
    ) throws(TwinspanError) {
        name = definition.name
        ditto = DittoMapper(name: definition.name)
        let options = ScriptOptions(definition, limits: limits)
        try options.refuseLibraries()
        let scripts = (try options.script("incomingScript"), try options.script("outgoingScript"))
        func runner(_ source: ScriptSource?, _ entry: String) throws(TwinspanError) -> ScriptRunner? {
            guard let source else { return nil }
            let library = try library()
            do throws(ScriptFailure) {
                try ScriptContext.checkSyntax(source, library: library)
            } catch {
                throw ConnectivityErrorTable.mapperConfigFailed.error(
                    "The \(entry) script of the mapper '\(definition.name)' is not valid: \(error.description).",
                    description: "Correct the script at the line named.")
            }
            return ScriptRunner(source, entry: entry, library: library, limits: limits)
        }
        incoming = try runner(scripts.0, ScriptPrelude.incoming)
        outgoing = try runner(scripts.1, ScriptPrelude.outgoing)
    }

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        guard let incoming else { return try ditto.inbound(message, scene, scratch: &scratch) }
        let lines: [UInt8]
        do throws(ScriptFailure) {
            lines = try incoming.run { context throws(ScriptFailure) in try Self.call(context, message) }
        } catch {
            throw MappingFailure(error: mappingFailed("incoming", error))
        }
        var envelopes: [Envelope] = []
        var start = 0
        while start < lines.count {
            let end = lines[start...].firstIndex(of: UInt8(ascii: "\n")) ?? lines.count
            envelopes.append(try Self.envelope(lines[start..<end], scene, scratch: &scratch))
            start = end + 1
        }
        return envelopes.isEmpty ? .none : envelopes.count == 1 ? .one(envelopes[0]) : .many(envelopes)
    }

    public func outbound(
        _ signal: OutboundSignal, _ scene: MappingScene
    ) throws(TwinspanError) -> [MappedMessage] {
        guard let outgoing else { return ditto.outbound(signal, scene) }
        do throws(ScriptFailure) {
            return try outgoing.run { context throws(ScriptFailure) in try Self.call(context, signal) }
        } catch {
            throw mappingFailed("outgoing", error)
        }
    }

    /// One line of JSON per message.
    private static func call(
        _ context: ScriptContext, _ message: InboundMessage
    ) throws(ScriptFailure) -> [UInt8] {
        let head = head(message.headers)
        return try context.call(arguments: 3) { arguments in
            // What is said to be bytes is no text, also where it could be read as one.
            arguments[0] = message.isBinary ? context.undefined : context.string(message.payload)
            arguments[1] = context.arrayBuffer(message.payload)
            arguments[2] = head.withUnsafeBytes { context.string($0) }
        } _: { value throws(ScriptFailure) -> [UInt8] in
            guard let value else { return [] }
            return try context.withUnits(of: value) { UTF16Text.narrow($0) }
        }
    }

    private static func call(
        _ context: ScriptContext, _ signal: OutboundSignal
    ) throws(ScriptFailure) -> [MappedMessage] {
        try context.call(arguments: 1) { arguments in
            arguments[0] = signal.bytes.withUnsafeBytes { context.string($0) }
        } _: { value throws(ScriptFailure) -> [MappedMessage] in
            guard let value else { return [] }
            let isText = context.isString(value)
            guard let text = isText ? value : context.element(0, of: value) else { return [] }
            var binaries = 0
            return try context.withUnits(of: text) { units in
                var packed = PackedMessages(units)
                return packed.messages {
                    binaries += 1
                    return isText ? [] : context.element(binaries, of: value).map { context.bytes(of: $0) } ?? []
                }
            }
        }
    }

    /// `["<content type>",{"<header>":"<value>",…}]`. Of a header that stands twice, the first counts.
    private static func head(_ headers: ExternalHeaders) -> [UInt8] {
        var head: [UInt8] = [UInt8(ascii: "[")]
        JSONText.writeString(headers.contentType ?? "", into: &head)
        head.append(contentsOf: ",{".utf8)
        let all = headers.all
        var isFirst = true
        for (index, header) in all.enumerated() where !all[..<index].contains(where: { $0.name == header.name }) {
            if !isFirst { head.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONText.writeString(header.name, into: &head)
            head.append(UInt8(ascii: ":"))
            JSONText.writeString(header.value, into: &head)
        }
        head.append(contentsOf: "}]".utf8)
        return head
    }

    private static func envelope(
        _ line: ArraySlice<UInt8>, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> Envelope {
        let parsed = line.withUnsafeBytes { bytes -> Result<Envelope, MappingFailure> in
            do throws(MappingFailure) {
                return .success(try Envelope.parse(bytes, scratch: &scratch, limits: scene.limits))
            } catch {
                return .failure(error)
            }
        }
        return try parsed.get()
    }

    private func mappingFailed(_ direction: String, _ failure: ScriptFailure) -> TwinspanError {
        GeneralErrorTable.mappingFailed.error(
            "The \(direction) script of the mapper '\(name)' has failed: \(failure.description)",
            description: "Check the payload against the script.")
    }
}
