// A small regular expression engine for fn:split: literals, `.`, classes, escapes, groups, `|`, `* + ? {n,m}`, lazy
// forms and the anchors `^ $`. Own code, because the standard library's Regex is neither Sendable nor bounded in time,
// while text here comes from devices. It runs all alternatives side by side, so time is at most program × text.

/// A compiled regular expression without captures.
struct RegularExpression: Sendable {
    /// Why a pattern was refused.
    struct Failure: Error, Sendable, Equatable {
        let reason: String
    }

    /// A set of characters.
    struct CharacterClass: Sendable, Equatable {
        var ranges: [ClosedRange<UInt32>] = []
        var isNegated = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    enum Instruction: Sendable {
        case scalar(Unicode.Scalar)
        case characterClass(CharacterClass)
        /// Anything but a line break.
        case anyCharacter
        /// Continues at both places; the first is preferred.
        case fork(Int, Int)
        case jump(Int)
        case lineStart, lineEnd
        case match
    }

    let program: [Instruction]

    init(_ pattern: String) throws(Failure) {
        var compiler = RegularExpressionCompiler(pattern)
        program = try compiler.compile()
    }

    /// The leftmost match at or after `start`, preferring what comes first in the pattern.
    func firstMatch(in text: [Unicode.Scalar], from start: Int) -> Range<Int>? {
        guard start <= text.count else { return nil }
        var current = ThreadList(programCount: program.count)
        var next = current
        var found: Range<Int>?
        for position in start...text.count {
            if found == nil { follow(0, start: position, at: position, in: text, into: &current) }
            if current.threads.isEmpty { break }
            for thread in current.threads {
                if case .match = program[thread.counter] {
                    // Threads behind this one are less preferred.
                    found = thread.start..<position
                    break
                }
                if position < text.count, consumes(text[position], at: thread.counter) {
                    follow(thread.counter + 1, start: thread.start, at: position + 1, in: text, into: &next)
                }
            }
            swap(&current, &next)
            next.removeAll()
        }
        return found
    }

    private func consumes(_ scalar: Unicode.Scalar, at counter: Int) -> Bool {
        switch program[counter] {
        case .scalar(let expected): scalar == expected
        case .characterClass(let members): members.contains(scalar)
        case .anyCharacter: !Self.isLineBreak(scalar)
        case .fork, .jump, .lineStart, .lineEnd, .match: false
        }
    }

    /// Adds every instruction reachable from `counter` without consuming a character, in order of preference.
    private func follow(
        _ counter: Int, start: Int, at position: Int, in text: [Unicode.Scalar], into list: inout ThreadList
    ) {
        var pending = [counter]
        while let counter = pending.popLast() {
            guard list.insert(counter) else { continue }
            switch program[counter] {
            case .fork(let preferred, let other):
                pending.append(other)
                pending.append(preferred)
            case .jump(let target): pending.append(target)
            case .lineStart: if position == 0 { pending.append(counter + 1) }
            case .lineEnd: if position == text.count { pending.append(counter + 1) }
            case .scalar, .characterClass, .anyCharacter, .match:
                list.threads.append((counter, start))
            }
        }
    }

    private static func isLineBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }
}

/// The places in the program that are alive at one position, most preferred first, each at most once.
private struct ThreadList {
    var threads: [(counter: Int, start: Int)] = []
    private var isKnown: [Bool]

    init(programCount: Int) {
        isKnown = Array(repeating: false, count: programCount)
    }

    mutating func insert(_ counter: Int) -> Bool {
        guard !isKnown[counter] else { return false }
        isKnown[counter] = true
        return true
    }

    mutating func removeAll() {
        threads.removeAll(keepingCapacity: true)
        for index in isKnown.indices { isKnown[index] = false }
    }
}
