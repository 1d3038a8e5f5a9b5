// Leaves out of a merge patch what changes nothing (`if-equal: skip-minimizing-merge`, spec/protocol.md §10.5).
import TwinspanJSON

enum PatchReduction {
    /// The part of a patch that differs from the value it is merged into; nil when nothing does. The depth of the
    /// recursion is bounded by the parser.
    static func differing(_ patch: JSONValue, from current: JSONValue) -> JSONValue? {
        guard let members = patch.object, let known = current.object else {
            // Spelled out, because a bare nil could also be read as the JSON null.
            return patch == current ? Optional<JSONValue>.none : .some(patch)
        }
        var rest = JSONObject()
        for (key, value) in members {
            // A key in double braces removes members by a pattern; what it hits is not looked up here.
            if value.isNull, !key.hasPrefix("{{") {
                if known[key] != nil { rest[key] = value }
            } else if let old = known[key] {
                if let part = differing(value, from: old) { rest[key] = part }
            } else {
                rest[key] = value
            }
        }
        return rest.isEmpty ? Optional<JSONValue>.none : .some(.object(rest))
    }
}
