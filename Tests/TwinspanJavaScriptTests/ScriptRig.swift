import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

/// A mapper made as a connection would, and what goes through it.
struct ScriptRig {
    let mapper: any PayloadMapper
    private let scene: MappingScene

    /// - Parameter options: further options, and other values for the scripts.
    init(
        incoming: String? = nil, outgoing: String? = nil, options: [String: JSONValue] = [:],
        limits: ScriptLimits = .standard, places: [String: MapperDefinition.TextPlace] = [:]
    ) throws {
        var all = JSONObject()
        if let incoming { all["incomingScript"] = .string(incoming) }
        if let outgoing { all["outgoingScript"] = .string(outgoing) }
        for (name, value) in options { all[name] = value }
        let definition = MapperDefinition(name: "plant", options: all, places: places)
        guard case .mapper(let mapper) = try JavaScriptMapper.engine(limits: limits).make(definition) else {
            throw GeneralErrorTable.internalError.error("not a mapper")
        }
        self.mapper = mapper
        scene = MappingScene(connectionID: try ConnectionID("test"), now: Timestamp(milliseconds: 0))
    }

    func inbound(
        _ payload: [UInt8], headers: [(name: String, value: String)] = [], isBinary: Bool = false
    ) throws -> [Envelope] {
        var scratch: [UInt8] = []
        let result = payload.withUnsafeBytes { bytes -> Result<MappedSignals, MappingFailure> in
            do throws(MappingFailure) {
                let message = InboundMessage(
                    payload: bytes, headers: ExternalHeaders(headers), isBinary: isBinary)
                return .success(try mapper.inbound(message, scene, scratch: &scratch))
            } catch {
                return .failure(error)
            }
        }
        do {
            switch try result.get() {
            case .none: return []
            case .one(let envelope): return [envelope]
            case .many(let envelopes): return envelopes
            }
        } catch {
            throw error.error
        }
    }

    func inbound(_ payload: String, headers: [(name: String, value: String)] = []) throws -> [Envelope] {
        try inbound(Array(payload.utf8), headers: headers)
    }

    /// The value of the one message that comes of a payload.
    func value(of payload: String, headers: [(name: String, value: String)] = []) throws -> JSONValue? {
        let envelopes = try inbound(payload, headers: headers)
        return envelopes.count == 1 ? envelopes[0].value?.value : nil
    }

    func outbound(_ envelope: String) throws -> [MappedMessage] {
        try mapper.outbound(OutboundSignal(bytes: Array(envelope.utf8), correlationID: "c1"), scene)
    }

    /// The text with which a message is refused.
    static func refusal(_ body: () throws -> Void) -> TwinspanError? {
        do {
            try body()
            return nil
        } catch {
            return error as? TwinspanError
        }
    }

    /// An incoming script that sends the value of an expression of `h`, `t`, `b` and `c`.
    static func sending(_ expression: String) -> String {
        """
        function mapToDittoProtocolMsg(h, t, b, c) {
          return Ditto.buildDittoProtocolMsg('n', 't', 'things', 'twin', 'commands', 'modify', '/attributes/a', {},
            \(expression));
        }
        """
    }
}
