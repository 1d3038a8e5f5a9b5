// Diagnostics quote lines of configuration, and go to terminals, CI logs and bug reports. Passwords must not go along.

enum SecretMask {
    private static let secretKeys = ["password", "passwordHash", "clientSecret", "key", "privateKey", "sharedKey"]

    /// The line with passwords replaced by as many `*`, so that columns stay.
    static func masking(_ line: String) -> String {
        var characters = Array(line.unicodeScalars)
        maskUserInfo(&characters)
        for key in secretKeys { maskValue(of: Array(key.unicodeScalars), in: &characters) }
        var masked = String.UnicodeScalarView()
        masked.append(contentsOf: characters)
        return String(masked)
    }

    /// Masks what stands between `:` and the last `@` of `scheme://user:password@host`.
    private static func maskUserInfo(_ characters: inout [Unicode.Scalar]) {
        var index = 0
        while index + 2 < characters.count {
            defer { index += 1 }
            guard characters[index] == ":", characters[index + 1] == "/", characters[index + 2] == "/" else { continue }
            let start = index + 3
            let end = characters[start...].firstIndex { $0 == " " || $0 == "\"" || $0 == "'" } ?? characters.count
            guard let at = characters[start..<end].lastIndex(of: "@"),
                let colon = characters[start..<at].firstIndex(of: ":")
            else { continue }
            mask((colon + 1)..<at, in: &characters)
        }
    }

    /// Masks the value behind `key:` unless it is a variable.
    private static func maskValue(of key: [Unicode.Scalar], in characters: inout [Unicode.Scalar]) {
        guard characters.count > key.count else { return }
        for start in 0..<(characters.count - key.count) {
            guard characters[start..<(start + key.count)].elementsEqual(key) else { continue }
            if start > 0, characters[start - 1].properties.isAlphabetic { continue }
            var index = start + key.count
            if index < characters.count, characters[index] == "\"" || characters[index] == "'" { index += 1 }
            guard index < characters.count, characters[index] == ":" else { continue }
            index += 1
            while index < characters.count, " \"'".unicodeScalars.contains(characters[index]) { index += 1 }
            let end = characters[index...].firstIndex { " ,}\"'".unicodeScalars.contains($0) } ?? characters.count
            mask(index..<end, in: &characters)
        }
    }

    private static func mask(_ range: Range<Int>, in characters: inout [Unicode.Scalar]) {
        guard !range.isEmpty, characters[range.lowerBound] != "{" else { return }
        if range.count > 1, characters[range.lowerBound] == "$", characters[range.lowerBound + 1] == "{" { return }
        for index in range { characters[index] = "*" }
    }
}
