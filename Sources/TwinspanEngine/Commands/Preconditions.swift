// What the conditional headers ask for, things and policies alike (spec/protocol.md §10.2, §10.5): read once, before
// any lock is taken, and asked when the current state is known.
import TwinspanJSON
public import TwinspanProtocol

/// `if-match`, `if-none-match` and `if-equal` of one command. The headers are read when there are any.
public struct Preconditions: Sendable {
    enum IfEqual: String, Sendable {
        case update, skip
        case skipMinimizingMerge = "skip-minimizing-merge"
    }

    private(set) var ifMatch: EntityTags?
    private(set) var ifNoneMatch: EntityTags?
    private(set) var ifEqual = IfEqual.update

    /// Whether an entity tag has to be computed at all.
    var needsTag: Bool { ifMatch != nil || ifNoneMatch != nil }

    /// Throws `header.invalid`.
    public init(_ headers: DittoHeaders) throws(TwinspanError) {
        for entry in headers.entries {
            switch entry.known {
            case .ifMatch: ifMatch = try EntityTags(Self.text(entry), header: "if-match")
            case .ifNoneMatch: ifNoneMatch = try EntityTags(Self.text(entry), header: "if-none-match")
            case .ifEqual:
                guard let rule = IfEqual(rawValue: Self.text(entry).lowercased()) else {
                    throw .headerInvalid("if-equal", "Use 'update', 'skip' or 'skip-minimizing-merge'.")
                }
                ifEqual = rule
            default: break
            }
        }
    }

    private static func text(_ entry: DittoHeaders.Entry) -> String { entry.value.string ?? entry.value.text }

    /// if-match before if-none-match; `tag` is that of the addressed resource, nil when there is none. Throws `failed`,
    /// or `notModified` for a retrieve whose if-none-match hits.
    public func check(
        tag: @autoclosure () -> String?, isRetrieve: Bool, failed: ErrorRow, notModified: ErrorRow
    ) throws(TwinspanError) {
        guard needsTag else { return }
        let tag = tag()
        if let ifMatch {
            guard let tag, ifMatch.contain(tag) else { throw Self.error(failed, "if-match", tag) }
        }
        if let ifNoneMatch, let tag, ifNoneMatch.contain(tag) {
            throw Self.error(isRetrieve ? notModified : failed, "if-none-match", tag)
        }
    }

    /// The error carries the present tag (§10.1), and names the header, which clients look for.
    private static func error(_ row: ErrorRow, _ header: String, _ tag: String?) -> TwinspanError {
        var error = row.error("The header '\(header)' does not agree with the present state of the resource.")
        error.etag = tag
        return error
    }
}
