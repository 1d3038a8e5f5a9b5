// The headers of an event as the journal keeps them for readers that send it later: a JSON object, with the connection
// it came in through, which it is not sent back to.
import TwinspanJSON
public import TwinspanProtocol

/// Headers and origin of an event in the journal.
public struct KeptHeaders: Sendable, Equatable {
    public var headers: DittoHeaders
    public var origin: ConnectionID?

    /// Those of a change, as its subscribers get them.
    public init(of change: TwinChange) {
        headers = change.eventHeaders
        origin = change.origin
    }

    /// Reads what `bytes` has written. Throws `corrupt` for anything else.
    public init(bytes: [UInt8]) throws(StoreFailure) {
        // Whatever is wrong with it, the answer is the same.
        guard let object = try? JSONValue.parse(bytes).object, let headers = object["headers"]?.object else {
            throw StoreFailure(kind: .corrupt, description: "the headers of an event are not JSON")
        }
        self.headers = DittoHeaders(headers)
        if let text = object["origin"]?.string {
            do throws(TwinspanError) {
                origin = try ConnectionID(text)
            } catch {
                throw StoreFailure(kind: .corrupt, description: "an event's origin is no connection: \(error.message)")
            }
        }
    }

    /// `{"origin":"…","headers":{…}}`.
    public var bytes: [UInt8] {
        var output = [UInt8](#"{"#.utf8)
        if let origin {
            output += Array(#""origin":"#.utf8)
            JSONText.writeString(origin.text, into: &output)
            output.append(UInt8(ascii: ","))
        }
        output += Array(#""headers":"#.utf8)
        headers.write(into: &output)
        output.append(UInt8(ascii: "}"))
        return output
    }
}
