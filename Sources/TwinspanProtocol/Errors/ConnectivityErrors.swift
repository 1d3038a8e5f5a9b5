// The errors of connections (spec/protocol.md §12.7). Rows that the pipelines raise stand in `GeneralErrors.swift`.

/// Rows whose code belongs to connections.
public enum ConnectivityErrorTable {
    public static let commandInvalid = ErrorRow(
        "connectivity:command.invalid", 400, "The command of the connection is not valid.",
        "Check its type and its fields.")
    public static let configProviderFailed = ErrorRow(
        "connectivity:config.provider.failed", 500, "The configuration could not be provided.", "The log says why.")
    public static let configProviderMissing = ErrorRow(
        "connectivity:config.provider.missing", 500, "There is no provider of the configuration.", "The log says why.")
    public static let configurationInvalid = ErrorRow(
        "connectivity:connection.configuration.invalid", 400, "The configuration of the connection is not valid.",
        "Run 'twinspan lint' on it.")
    public static let conflict = ErrorRow(
        "connectivity:connection.conflict", 409, "A connection with this id exists already.", "Choose another id.")
    public static let failed = ErrorRow(
        "connectivity:connection.failed", 504, "The broker could not be reached.",
        "Check its address, and that it runs.")
    public static let historyNotFound = ErrorRow(
        "connectivity:connection.history.notfound", 404,
        "There is no state of the connection at this revision or time.", "Ask for the current state.")
    public static let notFound = ErrorRow(
        "connectivity:connection.notfound", 404, "The connection could not be found.", "Check the connection id.")
    public static let timeout = ErrorRow(
        "connectivity:connection.timeout", 503, "The operation on the connection took too long.", "Try again later.")
    public static let unauthorized = ErrorRow(
        "connectivity:connection.unauthorized", 401, "The broker has refused the credentials.",
        "Check user and password of the connection.")
    public static let unavailable = ErrorRow(
        "connectivity:connection.unavailable", 503, "The connection is temporarily unavailable.", "Try again later.")
    public static let uriInvalid = ErrorRow(
        "connectivity:connection.uri.invalid", 400, "The URI of the connection is not valid.",
        "Use 'scheme://user:password@host:port'.")
    public static let amountIllegal = ErrorRow(
        "connectivity:connections.amount.illegal", 400, "Too many connections are asked for at once.",
        "Ask for at most 100.")
    public static let configUnavailable = ErrorRow(
        "connectivity:connectivity.config.unavailable", 404, "There is no configuration for this id.",
        "Check the connection id.")
    public static let idNotSettable = ErrorRow(
        "connectivity:id.notsettable", 400, "The id of the connection cannot be given here.",
        "Leave 'id' out of the body.")
    public static let internalError = ErrorRow(
        "connectivity:internalerror", 500, "Something went wrong inside.",
        "The log says what, under the correlation id.")
    public static let kafkaMessageRejected = ErrorRow(
        "connectivity:kafka.message.rejected", 408, "The record could not be settled and will be delivered again.",
        "The log of the connection says why.")
    public static let mapperConfigFailed = ErrorRow(
        "connectivity:message.mapper.config.failed", 400, "The mapper could not be configured.",
        "Check the options of the mapper.")
    public static let mapperConfigInvalid = ErrorRow(
        "connectivity:message.mapper.config.invalid", 400, "An option of the mapper is missing or not valid.",
        "Check the options of the mapper.")
    public static let preconditionFailed = ErrorRow(
        "connectivity:precondition.failed", 412, "The precondition of the request is not met.",
        "Compare the 'etag' of the connection with if-match or if-none-match.")
    public static let preconditionNotModified = ErrorRow(
        "connectivity:precondition.notmodified", 304, "The connection is unchanged.")
    public static let signalIllegal = ErrorRow(
        "connectivity:signal.illegal", 409, "The command is not possible in the present state of the connection.",
        "Wait until the state has changed, or open or close the connection first.")
    public static let topicInvalid = ErrorRow(
        "connectivity:topic.invalid", 400, "The topic of the target is not valid.",
        "Use one of '_/_/things/twin/events', '_/_/things/live/messages' and their siblings.")

    /// Every row.
    public static let all: [ErrorRow] = [
        commandInvalid, configProviderFailed, configProviderMissing, configurationInvalid, conflict, failed,
        historyNotFound, notFound, timeout, unauthorized, unavailable, uriInvalid, amountIllegal, configUnavailable,
        idNotSettable, internalError, kafkaMessageRejected, mapperConfigFailed, mapperConfigInvalid,
        preconditionFailed, preconditionNotModified, signalIllegal, topicInvalid,
    ]
}
