// Errors that belong to no entity: envelope, JSON, headers, connections (spec/protocol.md §12.3, §12.6–12.9, §12.11).
public import TwinspanJSON

/// Rows whose code belongs to the envelope, JSON, headers, policies as such, the gateway or connections.
public enum GeneralErrorTable {
    public static let policyIDInvalid = ErrorRow(
        "policies:id.invalid", 400, "The policy id is not valid.",
        "A policy id is 'namespace:name', at most 256 characters, without slashes or control characters.")
    public static let policyNotFound = ErrorRow(
        "policies:policy.notfound", 404, "The policy could not be found.",
        "Check that it exists and that it grants you READ.")
    public static let policyNotModifiable = ErrorRow(
        "policies:policy.notmodifiable", 403, "The policy may not be modified.",
        "You need WRITE on 'policy:/' and everything below it.")
    public static let policyNotCreatable = ErrorRow(
        "policies:policy.notcreatable", 403, "The policy may not be created.",
        "Its creator must keep WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
    public static let policyIDNotSettable = ErrorRow(
        "policies:id.notsettable", 400, "The policy id in the value differs from the id that is addressed.",
        "Leave 'policyId' out of the value or make it equal to the addressed id.")
    public static let policyTooLarge = ErrorRow(
        "policies:policy.toolarge", 413, "The policy would become larger than allowed.",
        "Split it, or raise 'limits.policyBytes'.")
    public static let policyPreconditionFailed = ErrorRow(
        "policies:precondition.failed", 412, "The precondition of the request is not met.",
        "Compare the 'etag' of the policy with if-match or if-none-match.")
    public static let policyPreconditionNotModified = ErrorRow(
        "policies:precondition.notmodified", 304, "The policy is unchanged.")
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
    public static let referenceNotSupported = ErrorRow(
        "placeholder:placeholder.reference.notsupported", 400, "The reference names an entity that is not supported.",
        "Write '{{ ref:things/<thingId>/policyId }}'.")
    public static let referenceUnknownField = ErrorRow(
        "placeholder:placeholder.reference.unknownfield", 400, "The referenced entity does not have this field.",
        "Write '{{ ref:things/<thingId>/policyId }}'.")
    public static let unknownTopicPath = ErrorRow(
        "protocoladapter:unknown.topicpath", 400, "The topic is malformed or does not fit the path.",
        "A topic is 'namespace/name/things/twin/commands/modify' or one of its siblings.")
    public static let unknownPath = ErrorRow(
        "protocoladapter:unknown.path", 400, "The path does not address a known resource.",
        "Paths of things begin with /thingId, /policyId, /definition, /attributes or /features.")
    public static let jsonInvalid = ErrorRow("json.invalid", 400, "The JSON is not valid here.")
    public static let jsonFieldMissing = ErrorRow("json.field.missing", 400, "A mandatory JSON field is missing.")
    public static let jsonFormatInvalid = ErrorRow("json.format.invalid", 400, "The JSON has an unexpected form.")
    public static let jsonKeyInvalid = ErrorRow(
        "json.key.invalid", 400, "A key is not valid.",
        "Keys have 1 to 256 characters, without slashes or control characters.")
    public static let jsonPointerInvalid = ErrorRow(
        "json.pointer.invalid", 400, "The JSON pointer is not valid.",
        "Consecutive slashes in JSON pointers are not supported.")
    public static let fieldSelectorInvalid = ErrorRow(
        "json.fieldselector.invalid", 400, "The field selector is not valid.",
        "Name fields separated by commas; every '(' needs its ')'.")
    public static let headerInvalid = ErrorRow("header.invalid", 400, "The value of a header is not valid.")
    public static let headerNotSupported = ErrorRow(
        "header.notsupported", 400, "The header is not supported for this resource.")
    public static let headersTooLarge = ErrorRow(
        "headers.too.large", 431, "The headers are larger than allowed.", "All headers together may have 5120 bytes.")
    public static let timeoutInvalid = ErrorRow(
        "timeout.invalid", 400, "The timeout is not valid.", "Use a whole number with the unit ms, s or m, e.g. 10s.")
    public static let mediaTypeUnsupported = ErrorRow(
        "mediatype.unsupported", 415, "The media type is not supported for this resource.")
    public static let signalUnsupported = ErrorRow(
        "signal.unsupported", 400, "This signal is not supported here.",
        "This version serves create, modify, merge, retrieve and delete of things on the twin channel.")
    public static let authenticationFailed = ErrorRow(
        "gateway:authentication.failed", 401, "The request is not authenticated.",
        "Send basic credentials of a configured user.")
    public static let methodNotAllowed = ErrorRow(
        "gateway:method.notallowed", 405, "The method is not allowed for this resource.")
    public static let serviceUnavailable = ErrorRow(
        "gateway:service.unavailable", 503, "The service does not accept requests at the moment.",
        "/ready says why. Try again.")
    public static let duplicateHeader = ErrorRow(
        "gateway:duplicate.header.field", 400, "A header is given more than once.")
    public static let commandTimeout = ErrorRow(
        "command.timeout", 408, "The command was not answered in time.", "Try again, or raise the timeout.")
    public static let internalError = ErrorRow(
        "internalerror", 500, "Something went wrong inside.", "The log says what, under the correlation id.")

    /// Every row, for the test that codes are unique.
    public static let all: [ErrorRow] = [
        policyIDInvalid, policyNotFound, policyNotModifiable, policyNotCreatable, policyIDNotSettable, policyTooLarge,
        policyPreconditionFailed, policyPreconditionNotModified, connectionIDInvalid, enforcementFailed, mappingFailed,
        sendingFailed, placeholderUnresolved, referenceNotSupported, referenceUnknownField,
        headerNotSupported, unknownTopicPath, unknownPath, jsonInvalid, jsonFieldMissing,
        jsonFormatInvalid, jsonKeyInvalid, jsonPointerInvalid, fieldSelectorInvalid, headerInvalid, headersTooLarge,
        timeoutInvalid, mediaTypeUnsupported, signalUnsupported, authenticationFailed, methodNotAllowed,
        serviceUnavailable, duplicateHeader, commandTimeout, internalError,
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
