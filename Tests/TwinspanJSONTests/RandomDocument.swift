// Random values for tests that compare two ways to the same result. Seeded, so that a failure can be repeated.

import TwinspanJSON

/// A small reproducible generator of random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// Makes documents that look like twins: few members, short keys that often occur in several objects.
struct RandomDocument {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// Keys that occur again, so that pointers hit. Among them what parsers get wrong: escapes, composed and decomposed
    /// characters, one key a prefix of another.
    static let keys = [
        "a", "b", "ab", "value", "features", "a~b", "\"", "\\", "n\nl", "\u{1}", "é", "e\u{301}", "日本", "😀",
        "exactly8", "nine-char", "a-key-of-more-than-sixteen-bytes",
    ]

    private static let pieces = [
        "x", "plain text", "\"", "\\", "/", "\n", "\t", "\u{0}", "\u{1F}", "\u{7F}", "é", "ü", "漢字", "🚀", "\u{FFFF}",
        "0123456789abcdef",
    ]

    mutating func key() -> String {
        // An index is drawn; `randomElement` would be an optional to unwrap.
        Self.keys[Int.random(in: 0..<Self.keys.count, using: &generator)]
    }

    mutating func string() -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            text += Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &generator)]
        }
        return text
    }

    mutating func number() -> JSONNumber {
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: JSONNumber(Int64.random(in: .min ... .max, using: &generator))
        case 1: JSONNumber(Double.random(in: -1000...1000, using: &generator))
        case 2: JSONNumber(literal: "\(Int.random(in: 0...9, using: &generator)).50") ?? JSONNumber(0)
        default: JSONNumber(Int.random(in: -100...100, using: &generator))
        }
    }

    mutating func value(depth: Int = 3) -> JSONValue {
        switch Int.random(in: depth > 0 ? 0..<10 : 4..<10, using: &generator) {
        case 0...2: return .object(object(depth: depth))
        case 3: return .array((0..<Int.random(in: 0...3, using: &generator)).map { _ in value(depth: depth - 1) })
        case 4: return .null
        case 5: return .bool(Bool.random(using: &generator))
        case 6, 7: return .number(number())
        default: return .string(string())
        }
    }

    mutating func object(depth: Int = 3) -> JSONObject {
        var object = JSONObject()
        for _ in 0..<Int.random(in: 0...4, using: &generator) { object[key()] = value(depth: depth - 1) }
        return object
    }

    mutating func pointer() -> JSONPointer {
        JSONPointer(segments: (0..<Int.random(in: 0...4, using: &generator)).map { _ in key() })
    }

    /// The same value with whitespace and needless escapes.
    mutating func loose(_ value: JSONValue) -> String {
        func gap() -> String { ["", "", " ", "\n\t", "\r "][Int.random(in: 0..<5, using: &generator)] }
        switch value {
        case .null, .bool, .number: return gap() + value.text + gap()
        case .string(let text): return gap() + loose(text) + gap()
        case .array(let elements):
            return gap() + "[" + gap() + elements.map { loose($0) }.joined(separator: ",") + "]" + gap()
        case .object(let object):
            let members = object.map { gap() + loose($0.key) + gap() + ":" + loose($0.value) }
            return gap() + "{" + gap() + members.joined(separator: ",") + "}" + gap()
        }
    }

    private mutating func loose(_ text: String) -> String {
        var written = "\""
        for scalar in text.unicodeScalars {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &generator))
                    written += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            case 1 where scalar == "/": written += "\\/"
            default:
                let quoted = JSONValue.string(String(scalar)).text.unicodeScalars
                written.unicodeScalars.append(contentsOf: quoted.dropFirst().dropLast())
            }
        }
        return written + "\""
    }
}
