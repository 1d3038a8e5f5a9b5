// The error that peers see: status, code, message and what to do about it (spec/protocol.md §12.1).
// The codes themselves stand in `ErrorTable.swift` and its siblings, one line each.
public import TwinspanJSON

/// An error as it goes to a client, a connection log or a dead letter.
public struct TwinspanError: Error, Sendable, Equatable {
    /// The stable code, e.g. `things:thing.notfound`.
    public let code: String
    /// The status with HTTP semantics, 400–599, or 304.
    public let status: Int
    /// What happened, one sentence.
    public let message: String
    /// What to do about it.
    public var description: String?
    /// A page that explains the rule that was broken.
    public var href: String?
    /// The present entity tag of the addressed resource where a precondition failed (spec/protocol.md §10.1); nil when
    /// there is no resource, or the caller may not read it. A header of the answer, no member of its value.
    public var etag: String?

    /// Makes an error with a code of the table.
    public init(code: String, status: Int, message: String, description: String? = nil, href: String? = nil) {
        self.code = code
        self.status = status
        self.message = message
        self.description = description
        self.href = href
    }

    /// The error object of the wire: `{"status":…,"error":"…","message":"…","description":"…","href":"…"}`.
    public var json: JSONValue {
        var object = JSONObject()
        object["status"] = .number(JSONNumber(status))
        object["error"] = .string(code)
        object["message"] = .string(message)
        if let description { object["description"] = .string(description) }
        if let href { object["href"] = .string(href) }
        return .object(object)
    }
}
