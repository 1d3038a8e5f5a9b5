// HTTP/1.1 on a socket, one request per connection: tests need no more.
import Foundation
import TwinspanJSON
import TwinspanTestSupport

/// Talks to the service's HTTP door.
struct HTTPClient {
    struct Answer {
        var status: Int
        var text: String
        /// Status line and header fields as they came.
        var head = ""

        /// The body as JSON; null when it is not.
        var json: JSONValue { (try? JSONValue.parse(text)) ?? .null }
    }

    let port: Int
    /// `user:password`, as they stand in the credentials file.
    var login: String?

    /// Sends a request and waits for the answer, at most ten seconds.
    func request(
        _ method: String, _ path: String, body: String? = nil, contentType: String = "application/json",
        headers: [String: String] = [:]
    ) throws -> Answer {
        let descriptor = try LoopbackPort.connect(to: port)
        defer { close(descriptor) }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if let login { head += "Authorization: Basic \(Data(login.utf8).base64EncodedString())\r\n" }
        if let body { head += "Content-Type: \(contentType)\r\nContent-Length: \(body.utf8.count)\r\n" }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        let request = Array((head + "\r\n" + (body ?? "")).utf8)
        let sent = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        try require(sent == request.count, "the server does not take the request")
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { break }
            received += chunk[..<count]
        }
        return try Self.answer(received)
    }

    func get(_ path: String) throws -> Answer { try request("GET", path) }

    private static func answer(_ bytes: [UInt8]) throws -> Answer {
        let text = String(decoding: bytes, as: UTF8.self)
        // Bytes, because Swift sees CR LF as one character.
        guard let split = bytes.firstRange(of: Array("\r\n\r\n".utf8)),
            let status = text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap({ Int($0) })
        else { throw ScenarioFailure("no HTTP answer: \(text.prefix(200))") }
        let head = String(decoding: bytes[..<split.lowerBound], as: UTF8.self).lowercased()
        let body = Array(bytes[split.upperBound...])
        let isChunked = head.contains("transfer-encoding: chunked")
        return Answer(
            status: status, text: String(decoding: isChunked ? unchunked(body) : body, as: UTF8.self),
            head: String(decoding: bytes[..<split.lowerBound], as: UTF8.self))
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes[...]
        while let line = rest.firstRange(of: Array("\r\n".utf8)) {
            let digits = String(decoding: rest[..<line.lowerBound], as: UTF8.self)
            guard let count = Int(digits, radix: 16), count > 0, rest.endIndex - line.upperBound >= count else { break }
            result += rest[line.upperBound..<line.upperBound + count]
            rest = rest[(line.upperBound + count)...].dropFirst(2)
        }
        return result
    }
}
