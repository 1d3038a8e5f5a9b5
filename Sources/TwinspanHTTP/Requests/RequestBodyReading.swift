// Reads the body of a request as JSON, within limits (spec/http.md §1.7, §1.11).
import HTTPTypes
import Hummingbird
import NIOCore
import TwinspanJSON
import TwinspanProtocol

/// The value a request brings.
enum RequestValue {
    /// Bytes a body may have.
    static let byteMaximum = 1 << 20
    private static let json = "application/json"
    private static let mergePatch = "application/merge-patch+json"

    /// Checks the media type for the method, and returns the media type of the value.
    static func mediaType(_ fields: RequestFields, method: HTTPRequest.Method) throws(TwinspanError) -> String {
        if method == .patch {
            guard fields.mediaType == mergePatch else {
                throw HTTPErrors.mediaTypeUnsupported(fields.mediaType, allowed: mergePatch)
            }
            return mergePatch
        }
        // A body without a type counts as octets, which are read as JSON like the rest.
        guard let given = fields.mediaType, given != json, given != "application/octet-stream" else { return json }
        throw HTTPErrors.mediaTypeUnsupported(given, allowed: "\(json), application/octet-stream")
    }

    /// The bytes of the body. Throws 413 beyond the limit, and what the connection throws when it breaks.
    static func bytes(_ request: Request, _ fields: RequestFields) async throws -> [UInt8] {
        if let length = fields.contentLength, length > byteMaximum { throw HTTPErrors.bodyTooLarge }
        do {
            let buffer = try await request.body.collect(upTo: byteMaximum)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw HTTPErrors.bodyTooLarge
        }
    }

    /// The JSON text of the bytes.
    /// - Parameter mayBeBare: whether a text may come without its quotes (spec/http.md §3.3, §4).
    static func parse(_ bytes: [UInt8], mayBeBare: Bool = false) throws(TwinspanError) -> JSONText {
        do throws(JSONSyntaxError) {
            return try JSONText(validating: bytes)
        } catch {
            if mayBeBare, let text = String(validating: bytes, as: UTF8.self), !text.isEmpty {
                return JSONText(.string(text))
            }
            throw .jsonInvalid(error)
        }
    }
}
