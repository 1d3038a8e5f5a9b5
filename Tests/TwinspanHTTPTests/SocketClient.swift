// A client that sends exactly the bytes a test asks for: URL libraries tidy up doubled slashes and repeated fields.
import Glibc

@testable import TwinspanHTTP

enum SocketClient {
    struct Failure: Error { let what: String }

    private static let threads = BlockingCalls(threads: 8)

    /// Sends a request on a connection of its own and reads the response.
    static func send(_ ask: Ask, port: Int) async throws -> Answer {
        let result = await threads.run { Result { try exchange(ask, port: port) } }
        return try (result ?? .failure(Failure(what: "the threads are gone"))).get()
    }

    private static func exchange(_ ask: Ask, port: Int) throws -> Answer {
        let descriptor = try connect(port: port)
        defer { close(descriptor) }
        var head = "\(ask.method) \(ask.path) HTTP/1.1\r\nHost: twin.example\r\nConnection: close\r\n"
        for (name, value) in ask.allHeaders { head += "\(name): \(value)\r\n" }
        if let body = ask.body { head += "Content-Length: \(body.count)\r\n" }
        write(Array((head + "\r\n").utf8) + (ask.body ?? []), to: descriptor)
        return try parse(read(from: descriptor), isHead: ask.method == "HEAD")
    }

    static func connect(port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            throw Failure(what: "cannot connect to port \(port)")
        }
        return descriptor
    }

    /// Writes as much as the server takes; one that answers early may close before the end.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// Reads until the server closes.
    private static func read(from descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// Everything the server sends until it closes, as text.
    static func text(from descriptor: Int32) -> String {
        String(decoding: read(from: descriptor), as: UTF8.self)
    }

    private static func parse(_ bytes: [UInt8], isHead: Bool) throws -> Answer {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw Failure(what: "no response: \(text.prefix(200))")
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let headers = lines.dropFirst().map { line -> (String, String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        let body = Array(bytes[end.upperBound...])
        let answer = Answer(status: status, headers: headers, body: body)
        if !isHead, let length = answer["content-length"].flatMap({ Int($0) }), length != body.count {
            throw Failure(what: "content-length \(length), but \(body.count) bytes")
        }
        return answer
    }
}
