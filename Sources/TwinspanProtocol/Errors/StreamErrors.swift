// The errors of RQL, of search, and of the streaming of persisted events (spec/protocol.md §12.10).

/// Rows whose code belongs to searching and streaming.
public enum StreamErrorTable {
    public static let expressionInvalid = ErrorRow(
        "rql.expression.invalid", 400, "The RQL expression is not valid.", "Check the expression at the place named.")
    public static let streamingNotFound = ErrorRow(
        "streaming.subscription.not.found", 404, "There is no such subscription.", "Subscribe again.")
    public static let streamingProtocolError = ErrorRow(
        "streaming.subscription.protocol.error", 400, "The request breaks a rule of subscriptions.",
        "Ask for a demand of at least 1, and for nothing behind the end.")
    public static let streamingTimeout = ErrorRow(
        "streaming.subscription.timeout", 408, "The subscription was idle for too long.", "Subscribe again.")
    public static let queryTimeExceeded = ErrorRow(
        "thing-search:query.time.exceeded", 408, "The search took too long.", "Narrow the filter.")
    public static let namespacesInvalid = ErrorRow(
        "thing-search:search.namespaces.invalid", 400, "The namespaces of the search are not valid.",
        "Give an array of namespaces.")
    public static let optionInvalid = ErrorRow(
        "thing-search:search.option.invalid", 400, "An option of the search is not valid.",
        "Use size(1…200), sort(+path,-path) and cursor(…).")
    public static let searchAborted = ErrorRow(
        "thing-search:subscription.aborted", 500, "The subscription was ended by a restart.", "Subscribe again.")
    public static let searchNotFound = ErrorRow(
        "thing-search:subscription.not.found", 404, "There is no such subscription.", "Subscribe again.")
    public static let searchProtocolError = ErrorRow(
        "thing-search:subscription.protocol.error", 400, "The request breaks a rule of subscriptions.",
        "Ask for a demand of at least 1, and for nothing behind the end.")
    public static let searchTimeout = ErrorRow(
        "thing-search:subscription.timeout", 408, "The subscription was idle for too long.", "Subscribe again.")

    /// Every row.
    public static let all: [ErrorRow] = [
        expressionInvalid, streamingNotFound, streamingProtocolError, streamingTimeout, queryTimeExceeded,
        namespacesInvalid, optionInvalid, searchAborted, searchNotFound, searchProtocolError, searchTimeout,
    ]
}
