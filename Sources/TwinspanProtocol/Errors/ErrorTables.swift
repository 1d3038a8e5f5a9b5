// All tables together, for tests and for the documentation.

/// Every error a peer can see, apart from those of Web of Things, which is not served (spec/protocol.md §12).
public enum ErrorTables {
    /// Every row; each code once.
    public static let all: [ErrorRow] =
        ThingErrorTable.all + PolicyErrorTable.all + MessageErrorTable.all + AckErrorTable.all
        + GatewayErrorTable.all + ConnectivityErrorTable.all + GeneralErrorTable.all + StreamErrorTable.all
        + PlaceholderErrorTable.all
}
