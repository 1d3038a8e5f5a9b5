// Reads the grammar of search options (spec/policies-search.md B.7), which has no white space. Recursion-free.

import TwinspanJSON
import TwinspanProtocol

/// Reads one text of options into the options read so far.
struct RQLOptionParser {
    private var scanner: RQLScanner
    private let kinds: Set<RQLOptions.Kind>

    init(_ text: String, kinds: Set<RQLOptions.Kind>) {
        let examples = [
            (RQLOptions.Kind.sort, "sort(+thingId,-attributes/a)"), (.size, "size(\(RQLOptions.sizeDefault))"),
            (.limit, "limit(0,\(RQLOptions.sizeDefault))"), (.cursor, "cursor(…)"),
        ].filter { kinds.contains($0.0) }.map(\.1)
        scanner = RQLScanner(
            text,
            syntaxAdvice: "Write options as \(examples.joined(separator: " or ")), with commas between them and no"
                + " blanks.")
        self.kinds = kinds
    }

    /// - Throws: the first error; options read before it stay in `options`.
    mutating func parse(into options: inout RQLOptions) throws(RQLError) {
        guard scanner.bytes.count <= RQLParser.byteCountMax else {
            throw scanner.error(
                "The options are too long: they have \(scanner.bytes.count) bytes",
                advice: "Write at most \(RQLParser.byteCountMax) bytes.", at: RQLParser.byteCountMax)
        }
        repeat {
            try option(&options)
        } while scanner.consume(",")
        guard scanner.isAtEnd else { throw scanner.invalidInput(expected: "',' or the end of the options") }
    }

    private mutating func option(_ options: inout RQLOptions) throws(RQLError) {
        let start = scanner.position
        let kind = try self.kind()
        try scanner.expect("(")
        switch kind {
        case .sort:
            try requireAbsent(options.requestedSort, kind, at: start)
            options.requestedSort = try sortKeys()
        case .size:
            try requireAbsent(options.size, kind, at: start)
            options.size = try number("The page size", range: 1...RQLOptions.sizeMax)
        case .limit:
            try requireAbsent(options.limit, kind, at: start)
            let offset = try number("The offset of the page", range: 0...Int.max)
            try scanner.expect(",")
            let count = try number("The number of results", range: 0...RQLOptions.sizeMax)
            options.limit = RQLOptions.Limit(offset: offset, count: count)
        case .cursor:
            try requireAbsent(options.cursor, kind, at: start)
            options.cursor = try scanner.name()
        }
        try scanner.expect(")")
        try requireCompatible(options, at: start)
    }

    private mutating func kind() throws(RQLError) -> RQLOptions.Kind {
        let start = scanner.position
        let name = scanner.word()
        let names = RQLOptions.Kind.allCases.filter(kinds.contains).map(\.rawValue)
        guard let kind = RQLOptions.Kind(rawValue: name) else {
            scanner.back(to: start)
            throw scanner.invalidInput(
                expected: "one of \(names.joined(separator: ", "))", hint: NearestName.hint(for: name, among: names))
        }
        guard kinds.contains(kind) else {
            throw scanner.error(
                "The option '\(name)' cannot be used here", advice: "Use \(names.joined(separator: ", ")) only.",
                at: start)
        }
        return kind
    }

    // MARK: Arguments

    private mutating func sortKeys() throws(RQLError) -> [RQLOptions.SortKey] {
        var keys: [RQLOptions.SortKey] = []
        var isDecided = false
        repeat {
            let key = try sortKey()
            // No two things have one id, so what comes after it never decides.
            if !isDecided { keys.append(key) }
            isDecided = isDecided || key.pointer.isThingID
        } while scanner.consume(",")
        return keys
    }

    private mutating func sortKey() throws(RQLError) -> RQLOptions.SortKey {
        let isAscending = scanner.consume("+")
        guard isAscending || scanner.consume("-") else {
            throw scanner.invalidInput(expected: "'+' or '-'", hint: " In a URL, write '+' as '%2B'.")
        }
        let start = scanner.position
        let name = try scanner.name()
        guard let property = RQLProperty(parsing: name, dialect: .search), property.isSortable,
            let pointer = property.pointer
        else {
            throw scanner.error(
                "Unknown sort property: \(name.shortened)",
                advice: "Sort by thingId, policyId, namespace, definition, _revision, _modified, _created,"
                    + " attributes/…, features/<id>/properties/… or features/<id>/desiredProperties/…."
                    + NearestName.hint(for: name, among: RQLProperty.candidates(for: name)),
                at: start)
        }
        return RQLOptions.SortKey(pointer: pointer, isAscending: isAscending)
    }

    /// A decimal integer. A sign is read where the grammar has none, so that the error can say what is wrong.
    private mutating func number(_ subject: String, range: ClosedRange<Int>) throws(RQLError) -> Int {
        let start = scanner.position
        if !scanner.consume("+") { _ = scanner.consume("-") }
        let digitsStart = scanner.position
        scanner.skipDigits()
        guard scanner.position > digitsStart else { throw scanner.invalidInput(expected: "a digit") }
        let text = scanner.text(from: start)
        guard let value = Int(text), range.contains(value) else {
            let bound =
                range.upperBound == Int.max
                ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw scanner.error(
                "\(subject) is \(text.shortened)", advice: "Write a number of \(bound).", at: start)
        }
        return value
    }

    // MARK: Rules

    private func requireAbsent(_ value: (some Any)?, _ kind: RQLOptions.Kind, at start: Int) throws(RQLError) {
        guard value != nil else { return }
        throw scanner.error(
            "The option '\(kind.rawValue)' is given twice", advice: "Give each option once.", at: start)
    }

    private func requireCompatible(_ options: RQLOptions, at start: Int) throws(RQLError) {
        guard options.limit != nil else { return }
        if options.cursor != nil {
            throw scanner.error(
                "The options 'cursor' and 'limit' exclude each other",
                advice: "Use size(…) beside a cursor; it says how long the page is.", at: start)
        }
        if options.size != nil {
            throw scanner.error(
                "The options 'size' and 'limit' exclude each other",
                advice: "Use size(…), and the cursor of the answer for the next page.", at: start)
        }
    }
}
