// What is known of mappers where connections are read. The executable makes this value from its registry of mappers;
// no mapper is known here beyond the names of Ditto.

/// The kinds of mappers a definition may use.
public struct MapperRules: Sendable {
    /// A kind of mapper.
    public struct Engine: Sendable {
        /// The value of `mappingEngine`, and the name by which it is used without a definition.
        public var name: String
        /// Whether it only works with options, so with a definition.
        public var needsOptions: Bool

        public init(name: String, needsOptions: Bool = false) {
            self.name = name
            self.needsOptions = needsOptions
        }
    }

    public var engines: [Engine]
    /// Finds what is wrong with the options of a definition; gets its name too. Must not be costly.
    public var check: @Sendable (_ name: String, _ definition: MappingDefinition) -> [MapperProblem]

    public init(
        engines: [Engine],
        check: @escaping @Sendable (_ name: String, _ definition: MappingDefinition) -> [MapperProblem] = { _, _ in [] }
    ) {
        self.engines = engines
        self.check = check
    }

    /// The names of Ditto, and of ours beyond; options are taken as they are.
    public static let standard = MapperRules(engines: [
        Engine(name: "Ditto"), Engine(name: "Normalized"), Engine(name: "RawMessage"),
        Engine(name: "ImplicitThingCreation", needsOptions: true), Engine(name: "UpdateTwinWithLiveResponse"),
        Engine(name: "ConnectionStatus", needsOptions: true), Engine(name: "CloudEvents"),
        Engine(name: "JavaScript", needsOptions: true), Engine(name: "Cbor"),
        Engine(name: "Protobuf", needsOptions: true),
    ])

    /// Mappers that make nothing in one direction (spec/mapping.md §5).
    static let outboundOnly: Set<String> = ["Normalized"]
    static let inboundOnly: Set<String> = ["ConnectionStatus", "ImplicitThingCreation", "UpdateTwinWithLiveResponse"]

    func engine(named name: String) -> Engine? { engines.first { $0.name == name } }
}

/// What is wrong with the options of a mapper.
public struct MapperProblem: Sendable, Equatable {
    /// A JSON pointer into `options`; empty for all of them.
    public var option: String
    public var message: String
    public var hint: String?
    /// The line in the file of the option's text, for mistakes inside of scripts; counted from 1.
    public var line: Int?

    public init(option: String = "", message: String, hint: String? = nil, line: Int? = nil) {
        self.option = option
        self.message = message
        self.hint = hint
        self.line = line
    }
}
