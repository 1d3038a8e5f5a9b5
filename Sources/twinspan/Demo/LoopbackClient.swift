// A small HTTP client for the demo's own service: one request per connection, blocking, IPv4 addresses only.
import Glibc

/// Asks one service.
struct LoopbackClient {
    /// An answer.
    struct Answer {
        let status: Int
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// An IPv4 address.
    let host: String
    let port: Int
    var user: String?
    var password: String?

    /// An answer, or nil when nobody answers in time.
    func request(_ method: String, _ path: String, body: [UInt8] = [], contentType: String? = nil) -> Answer? {
        guard let link = connect() else { return nil }
        defer { close(link) }
        var head = "\(method) \(path) HTTP/1.1\r\nhost: \(host):\(port)\r\nconnection: close\r\n"
        if let user, let password { head += "authorization: Basic \(Self.base64("\(user):\(password)"))\r\n" }
        if let contentType { head += "content-type: \(contentType)\r\n" }
        if !body.isEmpty { head += "content-length: \(body.count)\r\n" }
        guard send(Array(head.utf8) + Array("\r\n".utf8) + body, to: link), let bytes = readAll(link) else {
            return nil
        }
        return Self.parse(bytes)
    }

    /// Whether something accepts connections there.
    var isAnswering: Bool {
        guard let link = connect() else { return false }
        close(link)
        return true
    }

    private static let timeoutSeconds = 5

    private func connect() -> Int32? {
        let link = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard link >= 0 else { return nil }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let timeoutSize = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &timeout, timeoutSize)
        setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &timeout, timeoutSize)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        let isAddress = inet_pton(AF_INET, host, &address.sin_addr) == 1
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(link, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard isAddress, code == 0 else {
            close(link)
            return nil
        }
        return link
    }

    private func send(_ bytes: [UInt8], to link: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(link, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func readAll(_ link: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(link, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// Status and body of a whole answer, up to the end of the connection.
    static func parse(_ bytes: [UInt8]) -> Answer? {
        let separator: [UInt8] = [13, 10, 13, 10]
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: separator) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = first.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        let body = Array(bytes[(end + 4)...])
        let isChunked = lines.contains { $0.lowercased() == "transfer-encoding: chunked" }
        return Answer(status: status, body: isChunked ? unchunked(body) : body)
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 13) {
            let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16) ?? 0
            guard size > 0, rest.endIndex - end > size + 2 else { break }
            output += rest[(end + 2)..<(end + 2 + size)]
            rest = rest[(end + 2 + size)...].dropFirst(2)
        }
        return output
    }

    private static func base64(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result = ""
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = group + Array(repeating: 0, count: 3 - group.count)
            let word = padded.reduce(0) { $0 << 8 | Int($1) }
            for index in 0..<4 {
                result.append(index <= group.count ? alphabet[word >> (18 - 6 * index) & 63] : "=")
            }
        }
        return result
    }
}
