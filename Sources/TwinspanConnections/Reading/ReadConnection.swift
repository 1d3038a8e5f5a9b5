// A connection together with the document it was read from: what the checks over several connections and the rules of
// bindings need to say where something is.

/// The result of reading one document.
struct ReadConnection {
    /// The connection as far as it could be read; nil when its type or its place is unknown.
    var draft: Connection?
    /// The id as it was written, also when the rest is not readable.
    var id: Located<String>?
    /// Whether it has no error.
    var isUsable: Bool
    let document: YAMLNode
    /// Files that were read for it, beside its own.
    var references: [String] = []
    /// Index in the document of each source that could be read.
    var sourceIndices: [Int] = []
    /// Index in the document of each target that could be read.
    var targetIndices: [Int] = []

    /// Where a value stands; the nearest thing around it when it is absent.
    func spot(at path: ConfigurationPath) -> Spot { document.spot(at: path) }

    /// A pointer into the draft as a path in the document: sources that could not be read are missing in the draft.
    func documentPath(_ pointer: String) -> ConfigurationPath {
        var steps = ConfigurationPath(pointer: pointer).steps
        if steps.count >= 2, case .index(let index) = steps[1] {
            if steps[0] == .key("sources"), sourceIndices.indices.contains(index) {
                steps[1] = .index(sourceIndices[index])
            } else if steps[0] == .key("targets"), targetIndices.indices.contains(index) {
                steps[1] = .index(targetIndices[index])
            }
        }
        return ConfigurationPath(steps)
    }
}
