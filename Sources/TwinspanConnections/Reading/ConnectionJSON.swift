// A connection in the body of a request: strict JSON, without variables and without files, read by the readers that
// read YAML. The first problem is the answer, with the code that Ditto has for it.
public import TwinspanJSON
public import TwinspanProtocol

/// Reads connections that come over HTTP or stand in the store.
public enum ConnectionJSON {
    /// Reads and validates one connection (spec/connectivity.md §1). Unknown fields are ignored.
    ///
    /// - Parameters:
    ///   - id: the id of the path; the body may repeat it. Nil when the body has to name it.
    ///   - requiresStatus: false for `POST`, where a missing `connectionStatus` becomes `unknown` (§8.1).
    /// - Throws: `json.invalid`, `json.field.missing`, `json.format.invalid`, `connectivity:…`, `acknowledgement:…`,
    ///   `placeholder:…` and `rql.expression.invalid`, each with the JSON pointer in its description.
    public static func read(
        _ bytes: [UInt8], id: ConnectionID? = nil, requiresStatus: Bool = true, rules: ReadingRules = ReadingRules()
    ) throws(TwinspanError) -> Connection {
        let json: JSONValue
        do {
            json = try JSONValue.parse(bytes)
        } catch {
            throw GeneralErrorTable.jsonInvalid.error(
                "The connection is not valid JSON: \(error).", description: "Check the JSON at that place.")
        }
        return try read(json, id: id, requiresStatus: requiresStatus, rules: rules)
    }

    /// The same for a value that was parsed before.
    public static func read(
        _ json: JSONValue, id: ConnectionID? = nil, requiresStatus: Bool = true, rules: ReadingRules = ReadingRules()
    ) throws(TwinspanError) -> Connection {
        let sink = DiagnosticSink(ignoresUnknownKeys: true)
        let source = sink.add(SourceText(name: "connection", bytes: []))
        let document = YAMLNode(json, mark: Mark(source: source, line: 0, column: 0))
        let isStatusMissing = json.object?["connectionStatus"]?.isNull ?? true
        let reader = ConnectionReader(sink: sink, rules: rules, givenID: id, requiresStatus: requiresStatus)
        let read = reader.connection(document, file: nil)
        if let error = sink.wireError { throw error }
        guard var connection = read.draft else {
            throw ConnectivityErrorTable.configurationInvalid.error()
        }
        if isStatusMissing { connection.status = .unknown }
        return connection
    }
}

extension YAMLNode {
    /// A value as a node, all of it standing at one place. The depth of JSON is bounded by its parser.
    init(_ json: JSONValue, mark: Mark) {
        self.init(content: Self.content(json, mark), start: mark, end: mark)
    }

    private static func content(_ json: JSONValue, _ mark: Mark) -> Content {
        func plain(_ text: String, _ value: YAMLScalarValue) -> Content {
            .scalar(YAMLScalar(text: text, value: value, style: .plain))
        }
        switch json {
        case .null: return plain("null", .null)
        case .bool(let flag): return plain(flag ? "true" : "false", .bool(flag))
        case .number(let number):
            return plain(number.text, number.int64.map { .integer($0) } ?? .float(number.double))
        case .string(let text): return .scalar(YAMLScalar(text: text, value: .string, style: .doubleQuoted))
        case .array(let elements): return .sequence(elements.map { YAMLNode($0, mark: mark) })
        case .object(let object):
            return .mapping(
                object.members.map { member in
                    YAMLPair(
                        key: member.key, keyStart: mark, keyEnd: mark, value: YAMLNode(member.value, mark: mark))
                })
        }
    }
}
