// The kinds of mappers there are, as values: a kind from another target, such as the scripts, is added to the list by
// the executable.
public import TwinspanExpressions
public import TwinspanJSON
public import TwinspanProtocol

/// A mapper as a connection defines it (spec/connectivity.md §1.7).
public struct MapperDefinition: Sendable {
    /// The name that `payloadMapping` uses.
    public var name: String
    public var options: JSONObject
    /// All must hold for a message from the broker to be mapped.
    public var incomingConditions: [PipelineExpression]
    /// All must hold for a signal to be mapped.
    public var outgoingConditions: [PipelineExpression]
    /// Where the text of an option stands, for errors inside it: of scripts.
    public var places: [String: TextPlace]

    /// The file and line of an option's text.
    public struct TextPlace: Sendable, Equatable {
        public var file: String
        /// Of the first line of the text, counted from 1.
        public var line: Int
        public init(file: String, line: Int) {
            self.file = file
            self.line = line
        }
    }

    public init(
        name: String, options: JSONObject = JSONObject(), incomingConditions: [PipelineExpression] = [],
        outgoingConditions: [PipelineExpression] = [], places: [String: TextPlace] = [:]
    ) {
        self.name = name
        self.options = options
        self.incomingConditions = incomingConditions
        self.outgoingConditions = outgoingConditions
        self.places = places
    }
}

/// A kind of mapper.
public struct MapperEngine: Sendable {
    /// What a definition becomes.
    public enum Made: Sendable {
        case mapper(any PayloadMapper)
        case decoder(any PayloadDecoder)
    }

    /// The value of `mappingEngine`, and the name by which it is used without a definition.
    public let name: String
    /// Whether it only works with options, so with a definition.
    public let needsOptions: Bool
    /// Content types it does not take unless the option `content-type-blocklist` says otherwise (§4.3).
    public let blockedContentTypes: [String]
    /// Checks the options and makes the mapper. Lint calls it too, so it must not be costly. Throws
    /// `connectivity:message.mapper.config.invalid` or `.failed`; unknown options are ignored.
    public let make: @Sendable (MapperDefinition) throws(TwinspanError) -> Made

    public init(
        name: String, needsOptions: Bool = false, blockedContentTypes: [String] = [],
        make: @escaping @Sendable (MapperDefinition) throws(TwinspanError) -> Made
    ) {
        self.name = name
        self.needsOptions = needsOptions
        self.blockedContentTypes = blockedContentTypes
        self.make = { definition throws(TwinspanError) in
            // What every mapper understands is checked for every mapper, so that lint sees it too.
            _ = try MapperOptions(definition).blockedContentTypes(default: [])
            return try make(definition)
        }
    }
}

/// The kinds of mappers of a process.
public struct MapperRegistry: Sendable {
    public var engines: [MapperEngine]

    public init(engines: [MapperEngine]) {
        self.engines = engines
    }

    /// Those that need nothing but this target.
    public static let builtIn = MapperRegistry(engines: [
        DittoMapper.engine, NormalizedMapper.engine, RawMessageMapper.engine, ConnectionStatusMapper.engine,
        ImplicitThingCreationMapper.engine, UpdateTwinWithLiveResponseMapper.engine, CloudEventsMapper.engine,
        CborDecoder.engine, ProtobufDecoder.engine,
    ])

    /// The kind of a name, or nil.
    public func engine(named name: String) -> MapperEngine? {
        engines.first { $0.name == name }
    }
}
