// The errors of thing commands: one line each, code and status as in spec/protocol.md §12.2.
// Literal texts that clients compare stand in §14; all others are ours and say what to do.

/// One row of the error table: a stable code, its status and the default texts.
public struct ErrorRow: Sendable {
    public let code: String
    public let status: Int
    public let message: String
    public let description: String?

    init(_ code: String, _ status: Int, _ message: String, _ description: String? = nil) {
        self.code = code
        self.status = status
        self.message = message
        self.description = description
    }

    /// The error of this row; `message` and `description` replace the default texts.
    public func error(_ message: String? = nil, description: String? = nil, href: String? = nil) -> TwinspanError {
        TwinspanError(
            code: code, status: status, message: message ?? self.message,
            description: description ?? self.description, href: href)
    }
}

/// Rows whose code belongs to things.
public enum ThingErrorTable {
    static let checkPermission = "Check that the thing exists and that the policy grants READ on it."
    static let grantWrite =
        "The policy of the thing must grant WRITE on the addressed resource and everything below it."

    public static let idInvalid = ErrorRow(
        "things:id.invalid", 400, "The thing id is not valid.",
        "A thing id is 'namespace:name', at most 256 characters, without slashes or control characters.")
    public static let idNotSettable = ErrorRow(
        "things:id.notsettable", 400, "The thing id in the value differs from the id that is addressed.",
        "Leave 'thingId' out of the value or make it equal to the addressed id.")
    public static let idNotDeletable = ErrorRow(
        "things:id.notdeletable", 400, "The thing id cannot be removed.", "Leave 'thingId' out of the patch.")
    public static let policyIDNotDeletable = ErrorRow(
        "things:policyId.notdeletable", 400, "The policy id of a thing cannot be removed.",
        "Leave 'policyId' out of the patch, or give the id of another policy.")
    public static let attributePointerInvalid = ErrorRow(
        "things:attribute.pointerinvalid", 400, "The attribute pointer is empty or malformed.",
        "Name at least one key behind '/attributes/'.")
    public static let definitionIdentifierInvalid = ErrorRow(
        "things:definition.identifier.invalid", 400, "The definition identifier is not valid.",
        "Use 'namespace:name:version' or an http or https URL.")
    public static let featureDefinitionEmpty = ErrorRow(
        "things:feature.definition.empty", 400, "The definition of a feature must not be an empty array.",
        "Give at least one identifier, or remove the definition.")
    public static let mergeInvalid = ErrorRow(
        "things:merge.invalid", 400, "The merge patch cannot be applied.",
        "The result of the patch must be a valid thing, and the patch must not be empty.")
    public static let policyInvalid = ErrorRow(
        "things:policy.invalid", 400, "The inline policy cannot be used.",
        "It needs at least one subject without expiry that has WRITE on 'policy:/'.")
    public static let policyConflicting = ErrorRow(
        "things:policy.conflicting", 400, "Both '_policy' and '_copyPolicyFrom' are given.", "Give only one of them.")
    public static let notCreatable = ErrorRow(
        "things:thing.notcreatable", 400, "The thing cannot be created.",
        "The policy that would be made for it exists already or is refused; name it with 'policyId' to use it.")
    public static let notDeletable = ErrorRow(
        "things:thing.notdeletable", 403, "The thing cannot be deleted.", grantWrite)
    public static let conflict = ErrorRow(
        "things:thing.conflict", 409, "A thing with this id exists already.",
        "Choose another id, or use 'modify' to replace it.")
    public static let tooLarge = ErrorRow(
        "things:thing.toolarge", 413, "The thing would become larger than allowed.",
        "Keep large content elsewhere and store a reference, or raise 'limits.thingBytes'.")
    public static let unavailable = ErrorRow(
        "things:thing.unavailable", 503, "The thing is temporarily unavailable.",
        "The store does not accept changes at the moment; /ready says why. Try again.")
    public static let tooManyModifyingRequests = ErrorRow(
        "things:thing.toomanymodifyingrequests", 429, "Too many changes are waiting to be stored.", "Try again later.")
    public static let preconditionFailed = ErrorRow(
        "things:precondition.failed", 412, "The precondition of the request is not met.",
        "Compare the 'etag' of the resource with if-match or if-none-match, or retrieve it again.")
    public static let preconditionNotModified = ErrorRow(
        "things:precondition.notmodified", 304, "The resource is unchanged.",
        "Go on using what was retrieved with the entity tag.")
    public static let conditionFailed = ErrorRow(
        "things:condition.failed", 412, "The condition does not hold for the thing.",
        "The state did not match the condition, or READ on a field it names is missing.")
    public static let conditionInvalid = ErrorRow(
        "things:condition.invalid", 400, "The condition is not a valid RQL expression.",
        "Check the expression at the place named.")
    public static let fieldSelectionInvalid = ErrorRow(
        "things:field.selection.invalid", 400,
        "The field selection names a field that cannot be selected.", "Select fields that a thing has.")
    public static let idsMissing = ErrorRow(
        "things:things.ids.missing", 400, "No thing ids are given.", "Name at least one thing id.")

    public static let eventNotAllowed = ErrorRow(
        "things:event.notallowed", 403, "The live event may not be sent.", grantWrite)
    public static let liveConditionNotAllowed = ErrorRow(
        "things:live.channelcondition.notallowed", 405,
        "The header live-channel-condition is not allowed for this command.",
        "Use it with commands that retrieve.")
    public static let metadataHeadersConflict = ErrorRow(
        "things:metadata.headersconflict", 400, "Multiple metadata headers were specified.",
        "Use one of put-metadata, get-metadata and delete-metadata.")
    public static let metadataNotModifiable = ErrorRow(
        "things:metadata.notmodifiable", 400, "Both '_metadata' and put-metadata are given.", "Give only one of them.")
    public static let policyIDMissing = ErrorRow(
        "things:policy.id.missing", 400, "The policy id is missing.", "Name the policy with 'policyId'.")
    public static let policyIDNotAllowed = ErrorRow(
        "things:policy.id.notallowed", 400, "An inline policy must not come with a policy id here.",
        "Leave '_policy' out of the value.")
    public static let policyNotAllowed = ErrorRow(
        "things:policy.notallowed", 400, "An inline policy must not be given here.",
        "Leave '_policy' out of the value.")
    public static let historyNotFound = ErrorRow(
        "things:thing.history.notfound", 404, "There is no state of the thing at this revision or time.",
        "Ask for a revision that the journal still has.")

    /// Every row, for the test that codes are unique and for the documentation.
    public static let all: [ErrorRow] =
        [
            idInvalid, idNotSettable, idNotDeletable, policyIDNotDeletable, attributePointerInvalid,
            definitionIdentifierInvalid, featureDefinitionEmpty, mergeInvalid, policyInvalid, policyConflicting,
            notCreatable, notDeletable, conflict, tooLarge, unavailable, tooManyModifyingRequests,
            preconditionFailed, preconditionNotModified, conditionFailed, conditionInvalid, fieldSelectionInvalid,
            idsMissing, eventNotAllowed, liveConditionNotAllowed, metadataHeadersConflict, metadataNotModifiable,
            policyIDMissing, policyIDNotAllowed, policyNotAllowed, historyNotFound,
        ]
        + ThingResource.Kind.allCases.flatMap { [$0.notFoundRow, $0.notModifiableRow] }
}

extension ThingResource.Kind {
    /// The word of the resource in error codes, e.g. `feature.property`.
    var errorWord: String {
        switch self {
        case .thing: "thing"
        case .policyID: "policyId"
        case .definition: "definition"
        case .attributes: "attributes"
        case .attribute: "attribute"
        case .features: "features"
        case .feature: "feature"
        case .featureDefinition: "feature.definition"
        case .properties: "feature.properties"
        case .property: "feature.property"
        case .desiredProperties: "feature.desiredProperties"
        case .desiredProperty: "feature.desiredProperty"
        }
    }

    /// The noun of the resource in sentences.
    public var noun: String {
        switch self {
        case .thing: "thing"
        case .policyID: "policy id"
        case .definition: "definition"
        case .attributes: "attributes"
        case .attribute: "attribute"
        case .features: "features"
        case .feature: "feature"
        case .featureDefinition: "definition of the feature"
        case .properties: "properties of the feature"
        case .property: "property of the feature"
        case .desiredProperties: "desired properties of the feature"
        case .desiredProperty: "desired property of the feature"
        }
    }

    /// Missing or unreadable; the two cannot be told apart (spec/policies-search.md A.3.3).
    var notFoundRow: ErrorRow {
        ErrorRow(
            "things:\(errorWord).notfound", 404, "The \(noun) could not be found.", ThingErrorTable.checkPermission)
    }

    /// WRITE is missing.
    var notModifiableRow: ErrorRow {
        ErrorRow(
            "things:\(errorWord).notmodifiable", 403, "The \(noun) may not be modified.", ThingErrorTable.grantWrite)
    }
}

extension TwinspanError {
    static let namespacedIDPage =
        "https://www.eclipse.dev/ditto/basic-namespaces-and-names.html#namespaced-id"

    /// `things:id.invalid`.
    public static func thingIDInvalid(_ text: String) -> TwinspanError {
        ThingErrorTable.idInvalid.error("The thing id '\(text.shortened)' is not valid.", href: namespacedIDPage)
    }

    /// `things:thing.notcreatable` 405: things are created as twins (spec/protocol.md §2.1).
    public static var notCreatableOnLive: TwinspanError {
        TwinspanError(
            code: ThingErrorTable.notCreatable.code, status: 405,
            message: "A thing cannot be created on the live channel.",
            description: "Send the command on the twin channel.")
    }

    /// The 404 of an addressed resource of a thing.
    public static func notFound(_ resource: ThingResource, of thing: ThingID) -> TwinspanError {
        resource.kind.notFoundRow.error("The \(resource.kind.noun) of '\(thing)' could not be found.")
    }

    /// The 404 of a thing.
    public static func thingNotFound(_ thing: ThingID) -> TwinspanError {
        ThingResource.Kind.thing.notFoundRow.error("The thing '\(thing)' could not be found.")
    }

    /// The 404 of a feature below which something is addressed.
    public static func featureNotFound(_ feature: String, of thing: ThingID) -> TwinspanError {
        ThingResource.Kind.feature.notFoundRow.error("The feature '\(feature)' of '\(thing)' could not be found.")
    }

    /// The 403 of an addressed resource of a thing.
    public static func notModifiable(_ resource: ThingResource, of thing: ThingID) -> TwinspanError {
        resource.kind.notModifiableRow.error("The \(resource.kind.noun) of '\(thing)' may not be modified.")
    }
}

extension String {
    /// The text for an error message: at most 80 code points, so that a hostile id cannot fill the log. Not characters:
    /// one character can carry any number of accents.
    package var shortened: String {
        utf8.count <= 80 || unicodeScalars.count <= 80 ? self : String(unicodeScalars.prefix(77)) + "…"
    }
}
