// How far transitive imports are followed (spec/policies-search.md A.5). Every step is one that its author asked for by
// name; the bounds keep policies that import each other crosswise from growing without end.

/// The bounds of resolving one policy. What lies beyond them is left out.
public enum ResolutionLimits {
    /// The policies on the way from a policy to an imported entry, the imported one included: Ditto's ten.
    public static let depth = 10
    /// The transitive imports that are followed for one policy, and again for each namespace root. Imports that the
    /// policy itself declares do not count: their number has a limit of its own.
    public static let transitiveImports = 256
}
