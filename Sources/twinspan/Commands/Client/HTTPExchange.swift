// One request and its answer on one socket: head, and a body with a length, in chunks, or up to the end.
import Glibc

/// An exchange. Confined to one thread.
final class HTTPExchange {
    typealias Failure = PlainHTTPClient.Failure

    private enum Framing {
        case length(Int)
        case chunks(ChunkedBody)
        case untilEnd
    }

    private static let headMaximum = 64 << 10

    private let link: Int32
    private var buffer: [UInt8] = []
    private var framing = Framing.untilEnd

    /// Takes the socket over.
    init(link: Int32) { self.link = link }

    deinit { close(link) }

    func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(link, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .broken("the request was not taken: \(SystemError.text(errno))") }
            sent += count
        }
    }

    /// Reads status line and headers, and gives the status.
    func readHead(patience: Duration) throws(Failure) -> Int {
        let separator: [UInt8] = [13, 10, 13, 10]
        var searched = 0
        while true {
            if let end = buffer.indices.dropFirst(searched).first(where: { buffer[$0...].starts(with: separator) }) {
                let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
                buffer.removeSubrange(..<(end + 4))
                return try readHead(lines)
            }
            searched = max(buffer.count - 3, 0)
            guard buffer.count <= Self.headMaximum else { throw .broken("its headers do not end") }
            guard let bytes = try receive(patience: patience) else { throw .broken("it ended the connection") }
            guard !bytes.isEmpty else { throw .silent }
            buffer += bytes
        }
    }

    private func readHead(_ lines: [Substring]) throws(Failure) -> Int {
        guard let words = lines.first?.split(separator: " "), words.count >= 2, words[0].hasPrefix("HTTP/1."),
            let status = Int(words[1])
        else { throw .broken("it does not speak HTTP/1.1") }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].filter { $0 != " " }
            switch line[..<colon].lowercased() {
            case "transfer-encoding" where value.lowercased() == "chunked": framing = .chunks(ChunkedBody())
            case "content-length":
                guard case .untilEnd = framing else { break }
                guard let length = Int(value), length >= 0 else { throw .broken("its content-length is no number") }
                framing = .length(length)
            default: break
            }
        }
        if status == 204 || status == 304 { framing = .length(0) }
        return status
    }

    /// The next bytes of the body, waiting at most `patience`; empty when none came, nil at its end.
    func next(patience: Duration) throws(Failure) -> [UInt8]? {
        if let part = try take() { return part }
        if isEnded { return nil }
        guard let bytes = try receive(patience: patience) else {
            if case .untilEnd = framing { return nil }
            throw .broken("it ended the connection within an answer")
        }
        buffer += bytes
        if let part = try take() { return part }
        return isEnded ? nil : []
    }

    private var isEnded: Bool {
        switch framing {
        case .length(let rest): rest == 0
        case .chunks(let chunks): chunks.isEnded
        case .untilEnd: false
        }
    }

    /// What of the buffer is body; nil when nothing is.
    private func take() throws(Failure) -> [UInt8]? {
        guard !buffer.isEmpty else { return nil }
        defer { buffer.removeAll(keepingCapacity: true) }
        var part: [UInt8]
        switch framing {
        case .length(let rest):
            part = Array(buffer.prefix(rest))
            framing = .length(rest - part.count)
        case .chunks(var chunks):
            part = try chunks.decode(buffer)
            framing = .chunks(chunks)
        case .untilEnd: part = buffer
        }
        return part.isEmpty ? nil : part
    }

    /// Bytes of the socket; empty when none came in time, nil at its end.
    private func receive(patience: Duration) throws(Failure) -> [UInt8]? {
        var poller = pollfd(fd: link, events: Int16(POLLIN), revents: 0)
        let ready = poll(&poller, 1, Int32(clamping: Int64(patience / .milliseconds(1))))
        if ready == 0 || (ready < 0 && errno == EINTR) { return [] }
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 65_536) { chunk, count in
            let got = recv(link, chunk.baseAddress, chunk.count, 0)
            code = got < 0 ? errno : 0
            count = max(got, 0)
        }
        if code == EINTR || code == EAGAIN { return [] }
        guard code == 0 else { throw .broken("the connection broke: \(SystemError.text(code))") }
        return bytes.isEmpty ? nil : bytes
    }
}

/// Decodes chunked transfer coding as it comes.
struct ChunkedBody {
    private enum State { case size, bytes(Int), bytesEnd, trailer, ended }

    private static let lineMaximum = 4096

    private var state = State.size
    private var line: [UInt8] = []

    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// The content of the next bytes. What follows the last chunk is ignored.
    mutating func decode(_ input: [UInt8]) throws(PlainHTTPClient.Failure) -> [UInt8] {
        var output: [UInt8] = []
        var rest = input[...]
        while !rest.isEmpty {
            switch state {
            case .ended: return output
            case .bytes(let count):
                let part = rest.prefix(count)
                output += part
                rest = rest.dropFirst(part.count)
                state = part.count == count ? .bytesEnd : .bytes(count - part.count)
            case .size, .bytesEnd, .trailer:
                guard let end = rest.firstIndex(of: 10) else {
                    line += rest
                    guard line.count <= Self.lineMaximum else { throw .broken("a line of its answer does not end") }
                    return output
                }
                line += rest[..<end]
                rest = rest[rest.index(after: end)...]
                try endLine()
            }
        }
        return output
    }

    private mutating func endLine() throws(PlainHTTPClient.Failure) {
        if line.last == 13 { line.removeLast() }
        defer { line.removeAll() }
        switch state {
        case .bytesEnd:
            guard line.isEmpty else { throw .broken("a chunk of its answer is longer than it says") }
            state = .size
        case .size:
            let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else {
                throw .broken("the size of a chunk is no number")
            }
            state = size == 0 ? .trailer : .bytes(size)
        case .trailer: if line.isEmpty { state = .ended }
        case .bytes, .ended: break
        }
    }
}
