// Merge patches against a plain implementation of RFC 7396; patches with regular expressions against their own rules.
import TwinspanJSON

/// The input is a patch, and on a second line its target.
func fuzzMergePatch(_ input: [UInt8]) {
    let parts = split(input)
    // Reading documents is the business of another target.
    guard let patch = try? JSONValue.parse(parts.first) else { return }
    let target = parts.second.flatMap { try? JSONValue.parse($0) }  // nil is an absent target.
    do throws(JSONMergePatchError) {
        let result = try JSONMergePatch.apply(patch, to: target)
        require(try JSONMergePatch.apply(patch, to: result) == result, "\(patch) is not idempotent on \(result)")
        if !hasExpression(patch) {
            let plain = plainMerge(patch, to: target)
            require(result == plain, "\(patch) makes \(result) of \(target ?? nil), not \(plain)")
        }
        let pointer = JSONPointer(segments: ["a", "b"])
        let wrapped = JSONMergePatch.wrap(patch, at: pointer)
        require(wrapped.value(at: pointer) == patch, "\(patch) is wrapped as \(wrapped)")
    } catch {
        require(hasExpression(patch), "\(patch) is refused: \(error)")
    }
    let cleaned = JSONMergePatch.removingNulls(patch)
    require(JSONMergePatch.removingNulls(cleaned) == cleaned, "nulls are left in \(cleaned)")
}

/// The pseudo-code of RFC 7396, section 2.
private func plainMerge(_ patch: JSONValue, to target: JSONValue?) -> JSONValue {
    guard let changes = patch.object else { return patch }
    var result = target?.object ?? JSONObject()
    for (key, value) in changes {
        if value.isNull {
            result[key] = nil
        } else {
            result[key] = plainMerge(value, to: result[key])
        }
    }
    return .object(result)
}

/// Whether a key may be a regular expression, of which the RFC knows nothing.
private func hasExpression(_ patch: JSONValue) -> Bool {
    guard let object = patch.object else { return false }
    return object.members.contains { $0.key.utf8.starts(with: "{{".utf8) || hasExpression($0.value) }
}
