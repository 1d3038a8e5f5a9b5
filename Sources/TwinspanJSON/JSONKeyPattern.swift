// Regular expressions in patch keys. A peer writes them and they run while a thing is locked, so they must not
// backtrack: this matcher follows all alternatives at once, and its time is the size of the pattern times the length of
// the key, whatever the pattern. It offers what matching whole keys needs of Java's syntax and refuses the rest
// (back-references, look-around, boundaries, flags, possessive quantifiers, classes by property).

/// The compiled regular expression of a patch key `{{~REGEX~}}` or `{{/REGEX/}}`.
struct JSONKeyPattern {
    /// One step of the matcher. Targets are positions in the program.
    enum Instruction {
        case character(JSONCharacterClass)
        case split(Int, Int)
        case jump(Int)
        case start
        case end
        case match
    }

    private let program: [Instruction]

    /// The regular expression in `patchKey`; `nil` if it is an ordinary key.
    static func expression(in patchKey: String) -> String? {
        let bytes = patchKey.utf8
        guard bytes.count >= 6, bytes.starts(with: "{{".utf8), bytes.suffix(2).elementsEqual("}}".utf8) else {
            return nil
        }
        var content = bytes.dropFirst(2).dropLast(2)
        while let first = content.first, first <= 0x20 { content.removeFirst() }
        while let last = content.last, last <= 0x20 { content.removeLast() }
        guard content.count >= 2, let delimiter = content.first, content.last == delimiter,
            delimiter == UInt8(ascii: "~") || delimiter == UInt8(ascii: "/")
        else { return nil }
        return String(Substring(content.dropFirst().dropLast()))
    }

    /// - Throws: what is wrong with `expression`.
    init(_ expression: String) throws(JSONKeyPatternError) {
        var parser = JSONKeyPatternParser(expression)
        var compiler = Compiler()
        try compiler.emit(parser.parse())
        program = compiler.program + [.match]
    }

    /// How much work `matches` takes for a key of `length` bytes, in steps of a few nanoseconds.
    func cost(length: Int) -> Int {
        program.count * (length + 1)
    }

    /// Whether the whole of `key` matches.
    func matches(_ key: String) -> Bool {
        var threads = Threads(program)
        let scalars = key.unicodeScalars
        threads.add(0, isAtStart: true, isAtEnd: scalars.isEmpty)
        var index = scalars.startIndex
        while index != scalars.endIndex {
            let scalar = scalars[index].value
            index = scalars.index(after: index)
            let waiting = threads.takeWaiting()
            guard !waiting.isEmpty else { return false }
            for position in waiting {
                if case .character(let characters) = program[position], characters.contains(scalar) {
                    threads.add(position + 1, isAtStart: false, isAtEnd: index == scalars.endIndex)
                }
            }
        }
        return threads.hasMatch
    }

    /// The positions in the program that wait for the next character, each at most once.
    private struct Threads {
        private let program: [Instruction]
        private var waiting: [Int] = []
        private var isVisited: [Bool]
        private(set) var hasMatch = false

        init(_ program: [Instruction]) {
            self.program = program
            isVisited = [Bool](repeating: false, count: program.count)
        }

        /// Forgets the positions and returns them.
        mutating func takeWaiting() -> [Int] {
            let taken = waiting
            waiting.removeAll()
            for position in isVisited.indices { isVisited[position] = false }
            hasMatch = false
            return taken
        }

        /// Adds all positions that are reached from `position` without a character.
        mutating func add(_ position: Int, isAtStart: Bool, isAtEnd: Bool) {
            var pending = [position]
            while let position = pending.popLast() {
                guard !isVisited[position] else { continue }
                isVisited[position] = true
                switch program[position] {
                case .character: waiting.append(position)
                case .split(let first, let second): pending += [second, first]
                case .jump(let target): pending.append(target)
                case .start: if isAtStart { pending.append(position + 1) }
                case .end: if isAtEnd { pending.append(position + 1) }
                case .match: hasMatch = true
                }
            }
        }
    }

    /// Turns a syntax tree into a program.
    private struct Compiler {
        var program: [Instruction] = []
        private var steps = 0

        /// Repetitions multiply, so the size is bounded while it grows.
        static let instructionCountMaximum = 1000

        mutating func emit(_ node: JSONKeyPatternParser.Node) throws(JSONKeyPatternError) {
            steps += 1
            guard steps <= Self.instructionCountMaximum * 4, program.count <= Self.instructionCountMaximum else {
                throw JSONKeyPatternError("it is too large")
            }
            switch node {
            case .characters(let characters): program.append(.character(characters))
            case .start: program.append(.start)
            case .end: program.append(.end)
            case .sequence(let nodes): for node in nodes { try emit(node) }
            case .alternatives(let nodes): try emitAlternatives(nodes)
            case .repeated(let node, let minimum, let maximum):
                for _ in 0..<minimum { try emit(node) }
                if let maximum {
                    for _ in minimum..<maximum { try emitOptional(node) }
                } else {
                    try emitLoop(node)
                }
            }
        }

        private mutating func emitAlternatives(_ nodes: [JSONKeyPatternParser.Node]) throws(JSONKeyPatternError) {
            var exits: [Int] = []
            for node in nodes.dropLast() {
                let split = program.count
                program.append(.jump(0))
                try emit(node)
                exits.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            if let last = nodes.last { try emit(last) }
            for exit in exits { program[exit] = .jump(program.count) }
        }

        private mutating func emitOptional(_ node: JSONKeyPatternParser.Node) throws(JSONKeyPatternError) {
            let split = program.count
            program.append(.jump(0))
            try emit(node)
            program[split] = .split(split + 1, program.count)
        }

        private mutating func emitLoop(_ node: JSONKeyPatternParser.Node) throws(JSONKeyPatternError) {
            let split = program.count
            program.append(.jump(0))
            try emit(node)
            program.append(.jump(split))
            program[split] = .split(split + 1, program.count)
        }
    }
}

/// What is wrong with a regular expression, as the end of a sentence.
struct JSONKeyPatternError: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// A set of Unicode scalar values.
struct JSONCharacterClass {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: UInt32) -> Bool {
        ranges.contains { $0.contains(scalar) } != isNegated
    }

    mutating func insert(_ scalar: UInt32) {
        ranges.append(scalar...scalar)
    }

    /// The union with `other`.
    mutating func formUnion(_ other: JSONCharacterClass) {
        ranges += other.isNegated ? other.complement : other.ranges
    }

    private var complement: [ClosedRange<UInt32>] {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = Swift.max(next, range.upperBound + 1)
        }
        if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
        return gaps
    }

    /// Any character but a line terminator.
    static let any = JSONCharacterClass(
        ranges: [0x0A...0x0A, 0x0D...0x0D, 0x85...0x85, 0x2028...0x2029], isNegated: true)
    /// `\d`
    static let digits = JSONCharacterClass(ranges: [0x30...0x39])
    /// `\w`
    static let word = JSONCharacterClass(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// `\s`
    static let space = JSONCharacterClass(ranges: [0x09...0x0D, 0x20...0x20])
}
