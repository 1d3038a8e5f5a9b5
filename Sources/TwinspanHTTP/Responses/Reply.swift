// Makes the responses to API requests: what the engine said, as status, header fields and body (spec/http.md §1.12).
import HTTPTypes
import Hummingbird
import NIOCore
import TwinspanJSON
import TwinspanProtocol

/// The answer to one request. Knows what goes back whatever the outcome.
struct Reply {
    /// Goes back as `correlation-id`.
    var correlationID: String
    /// Header fields of the request that go back as they came.
    var echoed: [(name: KnownHeader, value: String)] = []
    /// What the request's path and host make the `Location` of a created resource.
    var location: @Sendable () -> String = { "" }

    /// The same answer for an entity that was created below the request's path.
    func at(_ id: String) -> Reply {
        var reply = self
        let collection = location
        reply.location = {
            var location = collection()
            if location.hasSuffix("/") { location.removeLast() }
            return "\(location)/\(id)"
        }
        return reply
    }

    /// The success of a command.
    func success(
        status: Int, value: JSONText?, etag: String?, revision: Int64?, metadata: JSONText? = nil,
        isRequired: Bool = true
    ) -> Response {
        // Whoever does not ask for an answer gets none of its fields either.
        guard isRequired else { return Response(status: .accepted) }
        var fields = self.fields
        if let etag { fields.append(HTTPField(name: .eTag, value: etag)) }
        if let revision { fields.append(HTTPField(name: .entityRevision, value: String(revision))) }
        if let metadata { fields.append(HTTPField(name: .dittoMetadata, value: metadata.asciiText)) }
        if status == 201 { fields.append(HTTPField(name: .location, value: location())) }
        guard status != 204, let value else { return Response(status: .init(code: status), headers: fields) }
        fields.append(HTTPField(name: .contentType, value: "application/json"))
        return Response(
            status: .init(code: status), headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.bytes))
        )
    }

    /// An error. `etag` is the present tag of the resource where a precondition failed.
    func failure(_ error: TwinspanError, etag: String? = nil, allowed: [HTTPRequest.Method] = []) -> Response {
        var fields = self.fields
        if let etag { fields.append(HTTPField(name: .eTag, value: etag)) }
        switch error.status {
        case 304: return Response(status: .notModified, headers: fields)
        case 401: fields.append(HTTPField(name: .wwwAuthenticate, value: "Basic realm=\"Twinspan\""))
        case 405:
            fields.append(HTTPField(name: .allow, value: allowed.map(\.rawValue).joined(separator: ", ")))
        case 413: fields.append(HTTPField(name: .connection, value: "close"))
        case 429, 503: fields.append(HTTPField(name: .retryAfter, value: "2"))
        default: break
        }
        return Self.json(error.json, status: error.status, fields: fields)
    }

    /// A JSON document that is no answer to a command.
    static func json(_ value: JSONValue, status: Int, fields: HTTPFields = HTTPFields()) -> Response {
        var fields = fields
        fields.append(HTTPField(name: .contentType, value: "application/json"))
        return Response(
            status: .init(code: status), headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.bytes))
        )
    }

    private var fields: HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(8)
        fields.append(HTTPField(name: .correlationID, value: correlationID))
        for (known, value) in echoed {
            if let name = HTTPField.Name(parsed: known.rawValue) { fields.append(HTTPField(name: name, value: value)) }
        }
        return fields
    }
}

extension HTTPField.Name {
    // The initialiser fails for illegal characters only, and these names are literals without any.
    static let correlationID = HTTPField.Name("correlation-id")!
    static let entityRevision = HTTPField.Name("entity-revision")!
    /// The answer to `get-metadata` (spec/protocol.md §11).
    static let dittoMetadata = HTTPField.Name("ditto-metadata")!
}

extension JSONText {
    /// The text with everything beyond ASCII escaped, as header fields need it.
    fileprivate var asciiText: String {
        var text = ""
        for unit in String(decoding: bytes, as: UTF8.self).utf16 {
            if unit < 0x80 {
                text.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            } else {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return text
    }
}
