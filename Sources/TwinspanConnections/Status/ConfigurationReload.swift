// How the last reading of the connection files went: what /metrics tells whoever has changed one.

/// The outcome of one reading.
public struct ConfigurationReload: Sendable, Equatable {
    /// Whether the files were without errors, so that what they say is what runs.
    public var isSuccessful: Bool
    /// When, in seconds since 1970.
    public var epochSeconds: Int64

    public init(isSuccessful: Bool, epochSeconds: Int64) {
        self.isSuccessful = isSuccessful
        self.epochSeconds = epochSeconds
    }
}
