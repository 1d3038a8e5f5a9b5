// Errors that only the HTTP door knows; those of things, policies and JSON come from the tables of the protocol.
import TwinspanProtocol

/// What a request can do wrong before it becomes a command.
enum HTTPErrors {
    static let routeNotFound = TwinspanError(
        code: "gateway:route.notfound", status: 404, message: "There is nothing at this path.",
        description: "Check it for doubled slashes; things are at /api/2/things/{id}, policies at /api/2/policies/{id}."
    )
    static let apiVersionNotSupported = TwinspanError(
        code: "api.version.notsupported", status: 404, message: "This version of the API is not supported.",
        description: "Use /api/2.")
    static let targetInvalid = TwinspanError(
        code: "gateway:uri.invalid", status: 400, message: "The request's URI is not valid.",
        description: "Percent-encode reserved characters as UTF-8: %2F for a slash, %25 for a percent sign.")
    static let targetTooLong = TwinspanError(
        code: "gateway:uri.toolong", status: 414, message: "The request's URI is longer than 8192 bytes.",
        description: "Ask for less at once.")
    static let bodyTooLarge = TwinspanError(
        code: "gateway:body.toolarge", status: 413, message: "The request's body is larger than 1 MiB.",
        description:
            "Things and policies have at most 'limits.thingBytes' and 'limits.policyBytes', 100 KiB by default.")
    static let tooManyLogins = TwinspanError(
        code: "too.many.requests", status: 429, message: "Too many logins from this address have failed.",
        description: "Wait a few seconds, then try again with the right password.")

    static func unauthenticated(_ message: String) -> TwinspanError {
        GeneralErrorTable.authenticationFailed.error(message)
    }

    static let devopsIsNoUser = unauthenticated("The devops user has no access to things and policies.")

    /// 405; the names go into the `Allow` header too.
    static func methodNotAllowed(_ method: String, allowed: [String]) -> TwinspanError {
        GeneralErrorTable.methodNotAllowed.error(
            "The method \(method.prefix(20)) is not allowed for this resource.",
            description: "Allowed are: \(allowed.joined(separator: ", ")).")
    }

    /// 415, naming what would be right.
    static func mediaTypeUnsupported(_ given: String?, allowed: String) -> TwinspanError {
        GeneralErrorTable.mediaTypeUnsupported.error(
            "The Media-Type <\((given ?? "none").prefix(80))> is not supported for this resource.",
            description: "Allowed media types are: \(allowed).")
    }

    /// 400 for a part of the API this version does not serve; ignoring it would answer something else than was asked.
    static func notServed(_ what: String) -> TwinspanError {
        GeneralErrorTable.signalUnsupported.error(
            "\(what) is not served by this version.", description: "Send the request without it.")
    }

    /// 400 for a query parameter of our own routes.
    static func parameterInvalid(_ name: String, _ advice: String) -> TwinspanError {
        parametersInvalid("The query parameter '\(name)' is not valid.", advice)
    }

    static func parametersInvalid(_ message: String, _ advice: String) -> TwinspanError {
        TwinspanError(code: "gateway:parameter.invalid", status: 400, message: message, description: advice)
    }

    static func deadLetterNotFound(_ id: Int64) -> TwinspanError {
        TwinspanError(
            code: "gateway:deadletter.notfound", status: 404, message: "There is no dead letter \(id).",
            description: "It was carried out, removed, or has grown too old; GET /devops/twinspan/deadletters lists "
                + "those that are there.")
    }

    /// `timeout` outside of 0 to 60 s.
    static let timeoutInvalid = TwinspanError(
        code: "gateway:timeout.invalid", status: 400, message: "The timeout is not between 0 and 60 seconds.",
        description: "Use a number with the unit ms, s or m, e.g. 10s.")
}
