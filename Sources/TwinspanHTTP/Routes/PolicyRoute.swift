// Paths of policies and their parts (spec/http.md §1.4, §4; policies-search.md A.1.2).
import HTTPTypes
import TwinspanJSON
import TwinspanProtocol

/// A path at or below `/api/2/policies`.
struct PolicyRoute: Sendable, Equatable {
    /// What the path addresses. The ids, labels and keys in it are decoded but not yet validated.
    enum Place: Sendable, Equatable {
        /// All policies: creation with an id we choose.
        case collection
        /// A policy or a part of it.
        case part(id: String, PolicyPath)
        /// An action on a policy, or on one entry of it.
        case action(id: String, PolicyPath)
    }

    let place: Place
    let methods: [HTTPRequest.Method]

    /// Reads the path from the segment of the id on. Throws 404 for a path that addresses nothing.
    init(_ target: RequestTarget, from start: Int) throws(TwinspanError) {
        if target.isAtEnd(start) {
            self.init(.collection, [.post])
            return
        }
        guard !target.isEmpty(start) else { throw HTTPErrors.routeNotFound }
        let id = try target.segment(start)
        let first = start + 1
        if target.isAtEnd(first) {
            self.init(.part(id: id, .root), [.get, .put, .delete])
        } else if target.isSegment(first, "entries") {
            try self.init(entriesOf: id, target, from: first + 1)
        } else if target.isSegment(first, "imports") {
            try self.init(importsOf: id, target, from: first + 1)
        } else if Self.isAction(target, from: first) {
            self.init(.action(id: id, .root), [.post])
        } else {
            throw HTTPErrors.routeNotFound
        }
    }

    private init(_ place: Place, _ methods: [HTTPRequest.Method]) {
        self.place = place
        self.methods = methods
    }

    private init(_ id: String, _ keys: [String], _ methods: [HTTPRequest.Method]) throws(TwinspanError) {
        self.init(.part(id: id, try PolicyPath(JSONPointer(segments: keys))), methods)
    }

    private init(entriesOf id: String, _ target: RequestTarget, from index: Int) throws(TwinspanError) {
        if target.isAtEnd(index) {
            try self.init(id, ["entries"], [.get, .put])
            return
        }
        guard !target.isEmpty(index) else { throw HTTPErrors.routeNotFound }
        let entry = ["entries", try target.segment(index)]
        let next = index + 1
        if target.isAtEnd(next) {
            try self.init(id, entry, [.get, .put, .delete])
        } else if target.isSegment(next, "subjects") {
            try self.init(id, entry + ["subjects"], target, keyFrom: next + 1)
        } else if target.isSegment(next, "resources") {
            try self.init(id, entry + ["resources"], target, keyFrom: next + 1)
        } else if Self.isAction(target, from: next) {
            self.init(.action(id: id, try PolicyPath(JSONPointer(segments: entry))), [.post])
        } else if target.isAtEnd(next + 1), let part = Self.entryParts.first(where: { target.isSegment(next, $0.name) })
        {
            try self.init(id, entry + ["\(part.name)"], part.methods)
        } else {
            throw HTTPErrors.routeNotFound
        }
    }

    /// Subject ids and resource keys are the whole rest of the path, slashes included: the key of the root, `thing:/`,
    /// ends with one.
    private init(
        _ id: String, _ keys: [String], _ target: RequestTarget, keyFrom index: Int
    ) throws(TwinspanError) {
        if target.isAtEnd(index) {
            try self.init(id, keys, [.get, .put])
        } else {
            try self.init(id, keys + [try target.rest(from: index)], [.get, .put, .delete])
        }
    }

    private init(importsOf id: String, _ target: RequestTarget, from index: Int) throws(TwinspanError) {
        if target.isAtEnd(index) {
            try self.init(id, ["imports"], [.get, .put, .delete])
            return
        }
        guard !target.isEmpty(index) else { throw HTTPErrors.routeNotFound }
        let keys = ["imports", try target.segment(index)]
        let next = index + 1
        if target.isAtEnd(next) {
            try self.init(id, keys, [.get, .put, .delete])
        } else if target.isSegment(next, "entries"), target.isAtEnd(next + 1) {
            try self.init(id, keys + ["entries"], [.get, .put])
        } else if target.isSegment(next, "transitiveImports"), target.isAtEnd(next + 1) {
            try self.init(id, keys + ["transitiveImports"], [.get, .put])
        } else {
            throw HTTPErrors.routeNotFound
        }
    }

    /// The parts of an entry that have no parts of their own.
    private static let entryParts: [(name: StaticString, methods: [HTTPRequest.Method])] = [
        ("importable", [.get, .put]), ("namespaces", [.get, .put]), ("allowedAdditions", [.get, .put, .delete]),
        ("references", [.get, .put, .delete]),
    ]

    private static func isAction(_ target: RequestTarget, from index: Int) -> Bool {
        guard target.isSegment(index, "actions"), target.isAtEnd(index + 2) else { return false }
        return target.isSegment(index + 1, "activateTokenIntegration")
            || target.isSegment(index + 1, "deactivateTokenIntegration")
    }
}
