// A small HTTP/1.1 client for the tools: one request per connection, blocking, without TLS. What it asks is a service
// on this machine, or on one that is reached over a network that is trusted.
import Glibc
import TwinspanProtocol

/// Asks one service.
struct PlainHTTPClient {
    /// An answer.
    struct Answer {
        let status: Int
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// Why there is no answer.
    enum Failure: Error, Equatable {
        case unknownHost
        /// The system's words.
        case notReached(String)
        /// It was connected, and then came nothing in time.
        case silent
        /// It ended, or said what is not HTTP.
        case broken(String)
    }

    /// A name or an address.
    let host: String
    let port: Int
    /// What stands before every path; empty or `/…` without a slash at its end.
    var basePath = ""
    var user: String?
    var password: String?

    /// The most bytes of an answer that is not streamed.
    private static let byteMaximum = 64 << 20
    static let timeout = Duration.seconds(5)

    /// An answer, or nil when nobody answers in time.
    func request(_ method: String, _ path: String, body: [UInt8] = [], contentType: String? = nil) -> Answer? {
        // Whoever calls this does not care why.
        try? fetch(method, path, body: body, contentType: contentType)
    }

    /// An answer.
    func fetch(
        _ method: String = "GET", _ path: String, body: [UInt8] = [], contentType: String? = nil
    ) throws(Failure) -> Answer {
        let exchange = try open(method, path, body: body, contentType: contentType)
        let status = try exchange.readHead(patience: Self.timeout)
        return Answer(status: status, body: try Self.rest(of: exchange))
    }

    /// Hands the parts of a body on as they come, until the answer ends or `isInterrupted` says so. Without status 200
    /// the answer is given back instead.
    func stream(
        _ path: String, isInterrupted: () -> Bool, _ use: ([UInt8]) -> Void
    ) throws(Failure) -> Answer? {
        let exchange = try open("GET", path, body: [], contentType: nil)
        let status = try exchange.readHead(patience: Self.timeout)
        guard status == 200 else { return Answer(status: status, body: try Self.rest(of: exchange)) }
        while !isInterrupted() {
            guard let part = try exchange.next(patience: .milliseconds(200)) else { return nil }
            if !part.isEmpty { use(part) }
        }
        return nil
    }

    /// Whether something accepts connections there.
    var isAnswering: Bool {
        guard let link = try? connect() else { return false }  // Why it does not is no matter.
        close(link)
        return true
    }

    private static func rest(of exchange: HTTPExchange) throws(Failure) -> [UInt8] {
        var body: [UInt8] = []
        while let part = try exchange.next(patience: timeout) {
            guard !part.isEmpty else { throw .silent }
            body += part
            guard body.count <= byteMaximum else { throw .broken("the answer is longer than \(byteMaximum) bytes") }
        }
        return body
    }

    private func open(
        _ method: String, _ path: String, body: [UInt8], contentType: String?
    ) throws(Failure) -> HTTPExchange {
        let exchange = HTTPExchange(link: try connect())
        var head = "\(method) \(basePath)\(path) HTTP/1.1\r\nhost: \(host.contains(":") ? "[\(host)]" : host):\(port)"
        head += "\r\nconnection: close\r\n"
        if let user, let password {
            head += "authorization: Basic \(Base64.encode(Array("\(user):\(password)".utf8)))\r\n"
        }
        if let contentType { head += "content-type: \(contentType)\r\n" }
        if !body.isEmpty { head += "content-length: \(body.count)\r\n" }
        try exchange.send(Array("\(head)\r\n".utf8) + body)
        return exchange
    }

    /// Tries the addresses of the host one after the other.
    private func connect() throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { throw .unknownHost }
        defer { freeaddrinfo(list) }
        var code: Int32 = ENETUNREACH
        var next = list
        while let address = next?.pointee {
            next = address.ai_next
            let link = socket(address.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard link >= 0 else {
                code = errno
                continue
            }
            // On Linux the limit of sending is that of connecting too.
            var limit = timeval(tv_sec: Int(Self.timeout.components.seconds), tv_usec: 0)
            setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            if Glibc.connect(link, address.ai_addr, address.ai_addrlen) == 0 { return link }
            code = errno
            close(link)
        }
        throw .notReached(code == EINPROGRESS ? "no answer" : SystemError.text(code))
    }
}
