// Addressing parts of a value tree. Array elements have no address (specification §3.1).

extension JSONValue {
    /// The value at `pointer`, `nil` if a member on the way is missing or no object.
    public func value(at pointer: JSONPointer) -> JSONValue? {
        var current = self
        for segment in pointer.segments {
            guard case .object(let object) = current, let next = object[segment] else { return nil }
            current = next
        }
        return current
    }

    /// Puts `value` at `pointer`. Missing parents are created as objects, and whatever else stands on the way (a
    /// string, an array, `null`, …) is replaced by an object. At the root, `value` takes the place of everything.
    public mutating func set(_ value: JSONValue, at pointer: JSONPointer) {
        set(value, at: pointer.segments[...])
    }

    /// Removes the member at `pointer`. The root cannot be removed.
    /// - Returns: whether it was there.
    @discardableResult
    public mutating func remove(at pointer: JSONPointer) -> Bool {
        remove(at: pointer.segments[...])
    }

    private mutating func set(_ value: JSONValue, at segments: ArraySlice<String>) {
        guard let key = segments.first else {
            self = value
            return
        }
        var object = takeObject() ?? JSONObject()
        object.withMember(key) { $0.set(value, at: segments.dropFirst()) }
        self = .object(object)
    }

    private mutating func remove(at segments: ArraySlice<String>) -> Bool {
        guard let key = segments.first, var object = takeObject() else { return false }
        defer { self = .object(object) }
        if segments.count == 1 { return object.remove(key) != nil }
        guard object.position(of: key) != nil else { return false }
        return object.withMember(key) { $0.remove(at: segments.dropFirst()) }
    }

    /// Moves the object out, leaving `null`, so that changing it does not copy its members. `nil`, and nothing is
    /// moved, if this is no object.
    private mutating func takeObject() -> JSONObject? {
        guard case .object(let object) = self else { return nil }
        self = .null
        return object
    }
}
