// The options of a search (spec/policies-search.md B.7, C.2–C.4): which page, in which order. Parsed once per search.

public import TwinspanJSON
public import TwinspanProtocol

/// The options of a search, checked.
public struct RQLOptions: Sendable, Hashable {
    /// An option by its name.
    public enum Kind: String, Sendable, CaseIterable {
        case sort, size, limit, cursor
    }

    /// A page by its place, the deprecated form.
    public struct Limit: Sendable, Hashable {
        /// How many results come before the page; not negative.
        public let offset: Int
        /// How many results the page has at most; may be 0.
        public let count: Int
    }

    /// One field that results are sorted by.
    public struct SortKey: Sendable, Hashable {
        /// The field of the thing; `/_namespace` for the namespace.
        public let pointer: JSONPointer
        /// Whether small values come first.
        public let isAscending: Bool
    }

    /// `size(n)`: how many results a page has at most, 1 to 200.
    public internal(set) var size: Int?
    /// `limit(offset,count)`.
    public internal(set) var limit: Limit?
    /// What `cursor(…)` contains, as sent.
    public internal(set) var cursor: String?
    /// The order as sent, without what comes after `thingId`, which would never decide; `nil` when none was asked for.
    public internal(set) var requestedSort: [SortKey]?

    /// How many results a page has when nothing is said.
    public static let sizeDefault = 25
    /// The most results a page may have.
    public static let sizeMax = 200

    private static let thingID = SortKey(pointer: JSONPointer(segments: ["thingId"]), isAscending: true)

    /// No options.
    public init() {}

    /// Reads options; several texts are repetitions of the `option` parameter and read as one list.
    ///
    /// - Parameters:
    ///   - texts: options as decoded from the URL or taken from the protocol. No text means no options.
    ///   - kinds: the options that may be used here: the protocol has no `limit` and `cursor`, a stream `sort` only.
    /// - Throws: `thing-search:search.option.invalid` (400) with place and remedy.
    public static func parse(_ texts: [String], kinds: Set<Kind> = Set(Kind.allCases)) throws(TwinspanError)
        -> RQLOptions
    {
        var options = RQLOptions()
        do throws(RQLError) {
            for text in texts {
                var parser = RQLOptionParser(text, kinds: kinds)
                try parser.parse(into: &options)
            }
        } catch {
            throw error.wireError(StreamErrorTable.optionInvalid)
        }
        return options
    }

    /// The namespaces that a search is restricted to.
    ///
    /// - Parameter parameters: the values of the `namespaces` parameter, each a comma list; `nil` when it is absent.
    /// - Returns: `nil` for no restriction. Empty when the parameter names none: then nothing is found (B.7).
    public static func namespaces(_ parameters: [String]?) -> Set<String>? {
        guard let parameters else { return nil }
        let names = parameters.flatMap { $0.split(separator: ",") }.map { String($0).trimmed() }
        return Set(names.filter { !$0.isEmpty })
    }

    /// How many results a page has at most.
    public var pageSize: Int { size ?? limit?.count ?? Self.sizeDefault }

    /// The whole order: what was asked for, and `+thingId` unless it is in there. No two things are equal in it.
    public var sort: [SortKey] {
        let keys = requestedSort ?? []
        return keys.last?.pointer.isThingID == true ? keys : keys + [Self.thingID]
    }
}
