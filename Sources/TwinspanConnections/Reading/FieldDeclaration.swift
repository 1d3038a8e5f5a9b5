// One field, one declaration: name, kind, default, limit, documentation. Readers, unknown-key errors and the reference
// pages are all made from these.

/// What a field of a configuration is.
public struct FieldDeclaration: Sendable, Equatable {
    /// The kind of a field's value.
    public enum Kind: Sendable, Equatable {
        case text
        case flag
        case integer
        /// A number of bytes, e.g. `64MB`.
        case size
        /// A span of time, e.g. `7d`.
        case duration
        /// One of a list of words.
        case word([String])
        /// A list of text.
        case texts
        /// A list of text, in which null has a meaning of its own.
        case textsOrNull
        /// An object of text.
        case textMap
        /// An object of lists of text.
        case textsMap
        /// An object of anything.
        case anyMap
        /// An object with the fields of this group.
        case object(String)
        /// A list of objects with the fields of this group.
        case objects(String)
        /// An object of objects, each with the fields of this group.
        case objectMap(String)
        /// Anything.
        case any
    }

    public let name: String
    public let kind: Kind
    public let isRequired: Bool
    /// The default as one would write it, nil if there is none.
    public let defaultText: String?
    /// What limits the value, in words.
    public let limit: String?
    /// What the field means, in a sentence or two.
    public let documentation: String
    /// False for fields of the Ditto model that are read but have no effect yet; using one is a warning.
    public let isServed: Bool

    /// Makes a declaration.
    public init(
        name: String, kind: Kind, isRequired: Bool = false, defaultText: String? = nil, limit: String? = nil,
        documentation: String, isServed: Bool = true
    ) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.defaultText = defaultText
        self.limit = limit
        self.documentation = documentation
        self.isServed = isServed
    }
}

/// The fields of one kind of object.
public struct FieldGroup: Sendable, Equatable {
    /// E.g. `source`; what `FieldDeclaration.Kind.object` refers to.
    public let name: String
    public let fields: [FieldDeclaration]

    /// Makes a group.
    public init(_ name: String, _ fields: [FieldDeclaration]) {
        self.name = name
        self.fields = fields
    }

    var names: [String] { fields.map(\.name) }
}

/// The fields of the configuration, for reference pages.
public enum FieldReference {
    /// The groups of a connection document, the document itself first.
    public static let connection: [FieldGroup] = [
        ConnectionFields.group, ConnectionFields.extensionGroup, SourceFields.group, SourceFields.extensionGroup,
        SourceFields.enforcementGroup,
        SourceFields.replyTargetGroup, TargetFields.group, TargetFields.extensionGroup, MappingFields.group,
        SourceFields.requestsGroup, CredentialFields.group, CredentialFields.tunnelGroup,
    ]

    /// The groups of `twinspan.yaml`, the file itself first.
    public static let configuration: [FieldGroup] = ConfigurationFields.groups
}
