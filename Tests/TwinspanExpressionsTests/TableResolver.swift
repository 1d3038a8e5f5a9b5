// A resolver over a table, and the seeded generator of the random tests.

import TwinspanExpressions

/// Resolves placeholders by their canonical text, and the time from a fixed clock.
struct TableResolver: PlaceholderResolver {
    /// 2024-01-06T14:23:42.123Z, the example of the specification.
    static let exampleNow: Int64 = 1_704_551_022_123

    var table: [String: PlaceholderValues]
    var now = exampleNow

    init(_ table: [String: PlaceholderValues] = [:]) {
        self.table = table
    }

    func values(of placeholder: Placeholder) -> PlaceholderValues {
        if case .time(let expression) = placeholder { return .one(expression.text(atEpochMilliseconds: now)) }
        return table[placeholder.text] ?? .unresolved
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
