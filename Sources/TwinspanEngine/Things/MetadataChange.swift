// Metadata of a thing before and after a command (spec/protocol.md §11). Pure: trees in, trees out. Only reached by
// commands with a metadata header and things that have metadata.
import TwinspanJSON
import TwinspanProtocol

/// The metadata of one thing while a command changes or reads it. Recursions are as deep as the documents, which their
/// parser limits.
struct MetadataChange {
    /// An object that mirrors the thing.
    private(set) var tree: JSONValue

    init(_ text: JSONText?) { tree = text?.value ?? .object(JSONObject()) }

    /// The result; nil when nothing is left.
    var text: JSONText? { tree.object?.isEmpty == false ? JSONText(tree) : nil }

    /// Sets what `put-metadata` names: `value` is what the command has written at `path`, `thing` the thing after it.
    mutating func put(_ puts: [MetadataPut], at path: JSONPointer, value: JSONValue, thing: JSONValue) {
        for put in puts {
            let places: [JSONPointer] =
                if case .leaves(let key) = put.key.form {
                    Self.leaves(of: value, at: path).map { $0.appending(key) }
                } else {
                    Self.places(of: put.key, at: path, in: thing)
                }
            for place in places { tree.set(put.value, at: place) }
        }
    }

    /// Removes what `delete-metadata` names below `path`.
    mutating func delete(_ keys: [MetadataKey], at path: JSONPointer, thing: JSONValue) {
        for key in keys {
            if key.form == .all {
                remove(path)
            } else {
                for place in Self.places(of: key, at: path, in: thing) { remove(place) }
            }
        }
    }

    /// Removes the metadata at and below a path, and the parents that have become empty.
    mutating func remove(_ path: JSONPointer) {
        guard !path.isRoot else {
            tree = .object(JSONObject())
            return
        }
        guard tree.remove(at: path) else { return }
        var place = path.parent
        while let parent = place, !parent.isRoot, tree.value(at: parent)?.object?.isEmpty == true {
            tree.remove(at: parent)
            place = parent.parent
        }
    }

    /// Removes the metadata of whatever a merge has removed from the thing.
    mutating func removeVanished(before: JSONValue, after: JSONValue) {
        var gone: [JSONPointer] = []
        Self.collectVanished(tree, before, after, at: .root, into: &gone)
        for path in gone { remove(path) }
    }

    /// What `get-metadata` names, relative to `path`; an empty object when there is nothing. The tree must be what its
    /// reader may see.
    func selected(_ keys: [MetadataKey], at path: JSONPointer, thing: JSONValue) -> JSONValue {
        var result = JSONValue.object(JSONObject())
        for key in keys {
            if key.form == .all {
                if let all = tree.value(at: path), all.object != nil { return all }
                continue
            }
            for place in Self.places(of: key, at: path, in: thing) {
                guard let value = tree.value(at: place) else { continue }
                result.set(value, at: place.dropFirst(path.segments.count))
            }
        }
        return result
    }

    /// The places in the metadata that a key stands for.
    private static func places(of key: MetadataKey, at path: JSONPointer, in thing: JSONValue) -> [JSONPointer] {
        switch key.form {
        case .exact: return [path.appending(key.pointer)]
        case .all: return [path]
        case .leaves(let name):
            guard let value = thing.value(at: path) else { return [] }
            return leaves(of: value, at: path).map { $0.appending(name) }
        case .wildcard:
            var places: [(path: JSONPointer, value: JSONValue)] = []
            if let value = thing.value(at: path) { places = [(path, value)] }
            for segment in key.pointer.segments.dropLast() {
                places = places.flatMap { place in
                    guard let object = place.value.object else { return [(path: JSONPointer, value: JSONValue)]() }
                    let members =
                        segment == "*" ? object.members : object.members.filter { $0.key.hasSameBytes(as: segment) }
                    return members.map { (place.path.appending($0.key), $0.value) }
                }
            }
            return places.map { $0.path.appending(key.pointer.last ?? "") }
        }
    }

    /// The paths of everything in a value that is no object with members. Nulls of a patch remove, so there is nothing
    /// to say about them; neither is there about an empty object.
    private static func leaves(of value: JSONValue, at path: JSONPointer) -> [JSONPointer] {
        guard let object = value.object else { return [path] }
        return object.members.flatMap { leaves(of: $0.value, at: path.appending($0.key)) }
    }

    private static func collectVanished(
        _ metadata: JSONValue, _ before: JSONValue, _ after: JSONValue, at path: JSONPointer,
        into gone: inout [JSONPointer]
    ) {
        guard let members = metadata.object, let old = before.object else { return }
        for (key, member) in members {
            guard let oldValue = old[key] else { continue }
            guard let newValue = after.object?[key] else {
                gone.append(path.appending(key))
                continue
            }
            collectVanished(member, oldValue, newValue, at: path.appending(key), into: &gone)
        }
    }
}
