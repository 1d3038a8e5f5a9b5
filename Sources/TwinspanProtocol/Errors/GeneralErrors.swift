// Errors that belong to no entity: envelope, JSON, headers, and what the pipelines raise (spec/protocol.md §12.6–12.9).
public import TwinspanJSON

/// Rows whose code belongs to the envelope, JSON and headers, and those that several layers raise.
public enum GeneralErrorTable {
    /// Rows of policies under the names by which the engine and the HTTP door know them.
    public static let policyIDInvalid = PolicyErrorTable.idInvalid
    public static let policyNotFound = PolicyErrorTable.notFound
    public static let policyNotModifiable = PolicyErrorTable.notModifiable
    public static let policyNotCreatable = PolicyErrorTable.notCreatable
    public static let policyIDNotSettable = PolicyErrorTable.idNotSettable
    public static let policyTooLarge = PolicyErrorTable.tooLarge
    public static let policyPreconditionFailed = PolicyErrorTable.preconditionFailed
    public static let policyPreconditionNotModified = PolicyErrorTable.preconditionNotModified

    public static let connectionIDInvalid = ErrorRow(
        "connectivity:connection.id.invalid", 400, "The connection id is not valid.",
        "Use 1 to 100 letters, digits, '-', '_' and ':'.")
    public static let enforcementFailed = ErrorRow(
        "connectivity:connection.id.enforcement.failed", 400, "The message may not act for this entity.",
        "The enforcement input of the source must equal one of its filters.")
    public static let mappingFailed = ErrorRow(
        "connectivity:message.mapping.failed", 400, "The message could not be mapped.",
        "Check the payload against the mapper of the source.")
    public static let sendingFailed = ErrorRow(
        "connectivity:message.sending.failed", 503, "The message could not be sent to the broker.", "Try again later.")
    public static let placeholderUnresolved = ErrorRow(
        "placeholder:unresolved", 400, "A placeholder has no value for this message.",
        "Send the header it names, or give it a default with fn:default.")
    public static let unknownTopicPath = ErrorRow(
        "protocoladapter:unknown.topicpath", 400, "The topic is malformed or does not fit the path.",
        "A topic is 'namespace/name/things/twin/commands/modify' or one of its siblings.")
    public static let unknownPath = ErrorRow(
        "protocoladapter:unknown.path", 400, "The path does not address a known resource.",
        "Paths of things begin with /thingId, /policyId, /definition, /attributes or /features.")
    public static let jsonInvalid = ErrorRow(
        "json.invalid", 400, "The JSON is not valid here.", "Check the value against the JSON model.")
    public static let jsonFieldMissing = ErrorRow(
        "json.field.missing", 400, "A mandatory JSON field is missing.", "Add the field.")
    public static let jsonFormatInvalid = ErrorRow(
        "json.format.invalid", 400, "The JSON has an unexpected form.", "Check the value against the JSON model.")
    public static let jsonKeyInvalid = ErrorRow(
        "json.key.invalid", 400, "A key is not valid.",
        "Keys have 1 to 256 characters, without slashes or control characters.")
    public static let jsonPointerInvalid = ErrorRow(
        "json.pointer.invalid", 400, "The JSON pointer is not valid.",
        "Consecutive slashes in JSON pointers are not supported.")
    public static let fieldSelectorInvalid = ErrorRow(
        "json.fieldselector.invalid", 400, "The field selector is not valid.",
        "Name fields separated by commas; every '(' needs its ')'.")
    public static let headerInvalid = ErrorRow(
        "header.invalid", 400, "The value of a header is not valid.", "Send the header in the form it is defined with.")
    public static let headersTooLarge = ErrorRow(
        "headers.too.large", 431, "The headers are larger than allowed.", "All headers together may have 5120 bytes.")
    public static let timeoutInvalid = ErrorRow(
        "timeout.invalid", 400, "The timeout is not valid.", "Use a whole number with the unit ms, s or m, e.g. 10s.")
    public static let mediaTypeUnsupported = ErrorRow(
        "mediatype.unsupported", 415, "The media type is not supported for this resource.",
        "Set the header content-type to a type that the resource accepts.")
    public static let signalUnsupported = ErrorRow(
        "signal.unsupported", 400, "This signal is not supported here.",
        "Check the topic; what it names is not served here.")
    public static let authenticationFailed = ErrorRow(
        "gateway:authentication.failed", 401, "The request is not authenticated.",
        "Send basic credentials of a configured user.")
    public static let methodNotAllowed = ErrorRow(
        "gateway:method.notallowed", 405, "The method is not allowed for this resource.",
        "The header allow names the methods of the resource.")
    public static let serviceUnavailable = ErrorRow(
        "gateway:service.unavailable", 503, "The service does not accept requests at the moment.",
        "/ready says why. Try again.")
    public static let duplicateHeader = ErrorRow(
        "gateway:duplicate.header.field", 400, "A header is given more than once.",
        "Give it once, as a header or as a query parameter.")
    public static let commandTimeout = ErrorRow(
        "command.timeout", 408, "The command was not answered in time.", "Try again, or raise the timeout.")
    public static let internalError = ErrorRow(
        "internalerror", 500, "Something went wrong inside.", "The log says what, under the correlation id.")

    public static let askError = ErrorRow(
        "ask.error", 503, "An internal question was not answered.", "Try again later.")
    public static let commandHeadersInvalid = ErrorRow(
        "command.headers.invalid", 400, "The headers do not fit the command.", "Leave one of the headers out.")
    public static let enforcementTimeout = ErrorRow(
        "enforcement.timeout", 503, "The authorization took too long.", "Try again later.")
    public static let entityNotCreatable = ErrorRow(
        "entity.notcreatable", 403, "The entity may not be created.",
        "The rules of creation must allow it for your subjects and the namespace.")
    public static let headerNotSupported = ErrorRow(
        "header.notsupported", 400, "A header is not supported for this resource.",
        "Use a form of the header that fits the addressed resource.")
    public static let typeNotParsable = ErrorRow(
        "json.type.notparsable", 400, "The type of the JSON is not known.", "Check the field 'type'.")
    public static let namespaceBlocked = ErrorRow(
        "namespace.blocked", 409, "The namespace is blocked by an operation.", "Try again later.")
    public static let entityIDInvalid = ErrorRow(
        "namespacedentity.id.invalid", 400, "The id is not valid.",
        "An id is 'namespace:name', at most 256 characters, without slashes or control characters.")
    public static let distributionEnded = ErrorRow(
        "pubsub:abnormal.termination", 500, "The distribution of signals has ended.", "Try again later.")
    public static let enrichmentFailed = ErrorRow(
        "signal.enrichment.failed", 500, "The extra fields could not be read.", "The log says why.")
    public static let commandPathUnknown = ErrorRow(
        "signals.commands:path.unknown", 400, "The path does not address a known resource.",
        "Paths of things begin with /policyId, /definition, /attributes or /features.")
    public static let illegalAdaptable = ErrorRow(
        "protocoladapter:illegal.adaptable", 422, "The message does not fit the signal it claims to be.",
        "Compare topic, path and status with the signal that it answers.")
    public static let invalidPath = ErrorRow(
        "protocoladapter:invalid.path", 400, "The path does not fit the message.",
        "Use '/inbox/messages/{subject}' or '/outbox/messages/{subject}' with the subject of the topic, "
            + "behind '/features/{id}' for a feature.")
    public static let unknownChannel = ErrorRow(
        "protocoladapter:unknown.channel", 400, "The channel cannot be used for this signal.", "Use 'twin' or 'live'.")
    public static let unknownCommand = ErrorRow(
        "protocoladapter:unknown.command", 400, "The command is not known.",
        "Use create, retrieve, modify, merge or delete.")
    public static let unknownEvent = ErrorRow(
        "protocoladapter:unknown.event", 400, "The event is not known.", "Use created, modified, merged or deleted.")
    public static let unknownResponse = ErrorRow(
        "protocoladapter:unknown.response", 400, "The response is not known.",
        "Answer with topic and path of the command.")
    public static let unknownSignal = ErrorRow(
        "protocoladapter:unknown.signal", 400, "The signal is not known.", "Check topic and path.")

    /// Every row but those of policies, for the test that codes are unique.
    public static let all: [ErrorRow] = [
        connectionIDInvalid, enforcementFailed, mappingFailed, sendingFailed, placeholderUnresolved, unknownTopicPath,
        unknownPath, jsonInvalid, jsonFieldMissing, jsonFormatInvalid, jsonKeyInvalid, jsonPointerInvalid,
        fieldSelectorInvalid, headerInvalid, headersTooLarge, timeoutInvalid, mediaTypeUnsupported, signalUnsupported,
        authenticationFailed, methodNotAllowed, serviceUnavailable, duplicateHeader, commandTimeout, internalError,
        askError, commandHeadersInvalid, enforcementTimeout, entityNotCreatable, headerNotSupported, typeNotParsable,
        namespaceBlocked, entityIDInvalid, distributionEnded, enrichmentFailed, commandPathUnknown, illegalAdaptable,
        invalidPath, unknownChannel, unknownCommand, unknownEvent, unknownResponse, unknownSignal,
    ]
}

extension TwinspanError {
    /// `policies:id.invalid`.
    public static func policyIDInvalid(_ text: String) -> TwinspanError {
        GeneralErrorTable.policyIDInvalid.error(
            "The policy id '\(text.shortened)' is not valid.", href: namespacedIDPage)
    }

    /// `connectivity:connection.id.invalid`.
    public static func connectionIDInvalid(_ text: String) -> TwinspanError {
        GeneralErrorTable.connectionIDInvalid.error("The connection id '\(text.shortened)' is not valid.")
    }

    /// `json.field.missing`, naming the field.
    public static func fieldMissing(_ field: String) -> TwinspanError {
        GeneralErrorTable.jsonFieldMissing.error(
            "The field '\(field)' is missing.", description: "Every Ditto Protocol message needs 'topic' and 'path'.")
    }

    /// `json.invalid`, saying what is wrong.
    public static func jsonInvalid(_ message: String, hint: String? = nil) -> TwinspanError {
        GeneralErrorTable.jsonInvalid.error(message, description: hint)
    }

    /// `json.invalid` for text that is not JSON.
    public static func jsonInvalid(_ error: JSONSyntaxError) -> TwinspanError {
        GeneralErrorTable.jsonInvalid.error(
            "The payload is not valid JSON: \(error)", description: "Check the bytes at the offset named.")
    }

    /// `json.pointer.invalid`.
    public static func pointerInvalid(_ text: String) -> TwinspanError {
        GeneralErrorTable.jsonPointerInvalid.error("The JSON pointer '\(text.shortened)' is not valid.")
    }

    /// `header.invalid`, naming the header.
    public static func headerInvalid(_ name: String, _ why: String) -> TwinspanError {
        GeneralErrorTable.headerInvalid.error("The value of the header '\(name)' is not valid.", description: why)
    }

    /// `json.key.invalid`, naming the key.
    public static func keyInvalid(_ key: String) -> TwinspanError {
        GeneralErrorTable.jsonKeyInvalid.error("The key '\(key.shortened)' is not valid.")
    }
}
