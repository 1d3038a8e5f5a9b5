// Paths of things and their parts (spec/http.md §1.4, §3.2, §3.3).
import HTTPTypes
import TwinspanJSON
import TwinspanProtocol

/// A path at or below `/api/2/things/{thingId}`.
struct ThingRoute: Sendable, Equatable {
    /// The id as it was sent, decoded but not yet validated.
    let id: String
    let methods: [HTTPRequest.Method]
    /// Whether the path has a trailing slash that is accepted for reading and deleting only: for other methods there is
    /// nothing at it.
    let isReadingForm: Bool
    private let part: Part

    private enum Part: Sendable, Equatable {
        /// Fixed names and single segments.
        case keys([String])
        /// Keys below a container; the rest of the path is a JSON pointer.
        case pointer(container: [String], rest: String)
    }

    private static let all: [HTTPRequest.Method] = [.get, .put, .patch, .delete]

    /// Reads the path from the segment of the id on. Throws 404 for a path that addresses nothing.
    init(_ target: RequestTarget, from start: Int) throws(TwinspanError) {
        guard !target.isEmpty(start) else { throw HTTPErrors.routeNotFound }
        id = try target.segment(start)
        let first = start + 1
        var methods = Self.all
        var isReadingForm = false
        if target.isAtEnd(first) {
            part = .keys([])
        } else if target.isSegment(first, "policyId"), target.count == first + 1 {
            part = .keys(["policyId"])
            methods = [.get, .put, .patch]
        } else if target.isSegment(first, "definition"), target.isAtEnd(first + 1) {
            part = .keys(["definition"])
            isReadingForm = target.count > first + 1
            if isReadingForm { methods = [.get, .delete] }
        } else if target.isSegment(first, "attributes") {
            part = try Self.container(["attributes"], target, from: first + 1)
        } else if target.isSegment(first, "features") {
            part = try Self.features(target, from: first + 1)
        } else {
            throw HTTPErrors.routeNotFound
        }
        self.methods = methods
        self.isReadingForm = isReadingForm
    }

    private static func features(_ target: RequestTarget, from index: Int) throws(TwinspanError) -> Part {
        if target.isAtEnd(index) { return .keys(["features"]) }
        guard !target.isEmpty(index) else { throw HTTPErrors.routeNotFound }
        let feature = ["features", try target.segment(index)]
        let next = index + 1
        if target.isAtEnd(next) { return .keys(feature) }
        if target.isSegment(next, "definition"), target.isAtEnd(next + 1) { return .keys(feature + ["definition"]) }
        if target.isSegment(next, "properties") {
            return try container(feature + ["properties"], target, from: next + 1)
        }
        if target.isSegment(next, "desiredProperties") {
            return try container(feature + ["desiredProperties"], target, from: next + 1)
        }
        throw HTTPErrors.routeNotFound
    }

    private static func container(
        _ keys: [String], _ target: RequestTarget, from index: Int
    ) throws(TwinspanError) -> Part {
        target.isAtEnd(index) ? .keys(keys) : .pointer(container: keys, rest: try target.rest(from: index))
    }

    /// The addressed resource. Throws 400 for doubled or trailing slashes in a pointer and for illegal keys.
    func resource() throws(TwinspanError) -> ThingResource {
        switch part {
        case .keys(let keys):
            return keys.isEmpty ? .root : try ThingResource(JSONPointer(segments: keys))
        case .pointer(let container, let rest):
            // The pointer's own tolerance of a trailing slash does not hold here: it would be an empty key.
            guard !rest.hasPrefix("/"), !rest.hasSuffix("/") else { throw .pointerInvalid(rest) }
            let keys: JSONPointer
            do throws(JSONPointerError) {
                keys = try JSONPointer(parsing: rest)
            } catch {
                throw .pointerInvalid(rest)
            }
            return try ThingResource(JSONPointer(segments: container).appending(keys))
        }
    }
}
