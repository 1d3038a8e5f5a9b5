// The metadata headers as values (spec/protocol.md §11): which keys they name, and whether such a key may stand on the
// addressed level of the thing.
import TwinspanJSON
import TwinspanProtocol

/// What one of the three metadata headers asks for.
enum MetadataOrder: Sendable {
    case put([MetadataPut])
    case get([MetadataKey])
    case delete([MetadataKey])

    /// The entries of `put-metadata` in the order in which they are applied: wildcards first, then what is specific and
    /// wins, each alphabetically.
    static func puts(_ value: JSONValue, _ resource: ThingResource) throws(TwinspanError) -> [MetadataPut] {
        let name = KnownHeader.putMetadata.rawValue
        let invalid = TwinspanError.headerInvalid(name, "Use a JSON array of objects with 'key' and 'value'.")
        var list = value.array
        if let text = value.string {
            do throws(JSONSyntaxError) {
                list = try JSONValue.parse(text).array
            } catch {
                throw invalid
            }
        }
        guard let list else { throw invalid }
        var puts: [MetadataPut] = []
        for entry in list {
            guard let key = entry.object?["key"]?.string, let value = entry.object?["value"] else { throw invalid }
            let pointer: JSONPointer
            do throws(JSONPointerError) {
                pointer = try JSONPointer(parsing: key)
            } catch {
                throw invalid
            }
            let parsed = try MetadataKey(pointer, header: name, resource)
            if case .all = parsed.form { throw MetadataKey.invalid(name, pointer) }
            puts.append(MetadataPut(key: parsed, value: value))
        }
        return puts.sorted { left, right in
            left.key.isWildcard != right.key.isWildcard
                ? left.key.isWildcard : left.key.pointer.description < right.key.pointer.description
        }
    }

    /// The keys of `get-metadata` or `delete-metadata`, a field selector.
    static func keys(_ entry: DittoHeaders.Entry, _ resource: ThingResource) throws(TwinspanError) -> [MetadataKey] {
        let name = entry.known?.rawValue ?? entry.name
        let selector: JSONFieldSelector
        do throws(JSONFieldSelectorError) {
            selector = try JSONFieldSelector(parsing: entry.value.string ?? entry.value.text)
        } catch {
            throw .headerInvalid(name, "\(error)")
        }
        var keys: [MetadataKey] = []
        for pointer in selector.pointers { keys.append(try MetadataKey(pointer, header: name, resource)) }
        return keys
    }
}

/// One entry of `put-metadata`.
struct MetadataPut: Sendable {
    let key: MetadataKey
    let value: JSONValue
}

/// A key of a metadata header.
struct MetadataKey: Sendable {
    enum Form: Sendable, Equatable {
        /// Exactly the place the pointer names.
        case exact
        /// `*`: everything below the resource.
        case all
        /// `*/key`: the key at every leaf.
        case leaves(String)
        /// A `*` stands for one level.
        case wildcard
    }

    /// Relative to the resource of the command.
    let pointer: JSONPointer
    let form: Form

    var isWildcard: Bool { form != .exact }

    /// Throws `header.invalid` for a form that is none, `header.notsupported` for one of another level.
    init(_ pointer: JSONPointer, header: String, _ resource: ThingResource) throws(TwinspanError) {
        self.pointer = pointer
        let segments = pointer.segments
        guard let last = segments.last else { throw Self.invalid(header, pointer) }
        guard segments.contains("*") else {
            form = .exact
            return
        }
        if segments.count == 1 {
            form = .all
            return
        }
        guard last != "*" else { throw Self.invalid(header, pointer) }
        if segments.count == 2, segments[0] == "*" {
            form = .leaves(last)
            return
        }
        let levels = ThingResource.Kind.wildcardLevels.filter { Self.isForm(segments[...], of: $0) }
        guard !levels.isEmpty else { throw Self.invalid(header, pointer) }
        guard levels.contains(resource.kind) else {
            throw GeneralErrorTable.headerNotSupported.error(
                "The header '\(header)' does not support the wildcard key '\(pointer)' for this resource.",
                description: "Use '*/key', or address a resource that the key fits.")
        }
        form = .wildcard
    }

    static func invalid(_ header: String, _ pointer: JSONPointer) -> TwinspanError {
        .headerInvalid(header, "The key '\(pointer.description.prefix(80))' is none of the wildcard forms.")
    }

    /// Whether a key with a wildcard is one of those of a level (the table of §11).
    private static func isForm(_ segments: ArraySlice<String>, of level: ThingResource.Kind) -> Bool {
        let first = segments[segments.startIndex]
        switch level {
        case .thing:
            if first == "attributes" { return segments.count == 3 && segments[segments.startIndex + 1] == "*" }
            return first == "features" && isForm(segments.dropFirst(), of: .features)
        case .features:
            guard segments.count > 2 else { return false }
            if first == "*", segments.count == 3 { return segments[segments.startIndex + 1] == "definition" }
            let rest = segments.dropFirst()
            return rest.count == 3 && isProperties(rest[rest.startIndex])
                && (first == "*" || rest[rest.startIndex + 1] == "*")
        case .feature: return segments.count == 3 && isProperties(first) && segments[segments.startIndex + 1] == "*"
        default: return false
        }
    }

    private static func isProperties(_ segment: String) -> Bool {
        segment == "properties" || segment == "desiredProperties"
    }
}

extension ThingResource.Kind {
    /// The levels that have wildcard keys of their own beside `*/key`.
    fileprivate static let wildcardLevels: [ThingResource.Kind] = [.thing, .features, .feature]
}
