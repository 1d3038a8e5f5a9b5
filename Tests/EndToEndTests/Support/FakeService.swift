// An HTTP service whose answers a test chooses: for what the tools show, and for what they say when something is wrong.
import Foundation
import Synchronization
import TwinspanTestSupport

/// Answers each request on a connection of its own, and closes it.
final class FakeService: Sendable {
    struct Answer: Sendable {
        var status = 200
        /// Sent as chunks, one after the other.
        var parts: [String]
        /// Whether the last chunk comes, or the answer stays open.
        var ends = true
        /// Milliseconds between two chunks.
        var pause: UInt32 = 0

        static func json(_ text: String, status: Int = 200) -> Answer { Answer(status: status, parts: [text]) }
    }

    /// A request line's path with its query, and the lines of the head.
    struct Request: Sendable {
        var path: String
        var head: String
    }

    var port: Int { listener.port }
    private let listener: LoopbackListener
    private let seen = Mutex<[Request]>([])

    /// `answer` is asked with the request, and with how many came before it, on a thread of the service.
    init(_ answer: @escaping @Sendable (Request, Int) -> Answer) throws {
        let listener = try LoopbackListener()
        self.listener = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let descriptor = listener.accept()
                guard descriptor >= 0 else { return }
                guard let request = Self.readRequest(descriptor) else {
                    close(descriptor)
                    continue
                }
                let number = self?.seen.withLock { seen in
                    seen.append(request)
                    return seen.count - 1
                }
                Thread.detachNewThread { Self.write(answer(request, number ?? 0), to: descriptor) }
            }
        }
    }

    deinit { listener.interrupt() }

    var requests: [Request] { seen.withLock { $0 } }

    private static func readRequest(_ descriptor: Int32) -> Request? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("\r\n\r\n") {
                let words = text.split(separator: " ")
                return words.count > 1 ? Request(path: String(words[1]), head: text) : nil
            }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    private static func write(_ answer: Answer, to descriptor: Int32) {
        defer { close(descriptor) }
        func put(_ text: String) -> Bool {
            let bytes = Array(text.utf8)
            return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        }
        guard put("HTTP/1.1 \(answer.status) X\r\ntransfer-encoding: chunked\r\n\r\n") else { return }
        for part in answer.parts {
            guard put("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n") else { return }
            usleep(answer.pause * 1000)
        }
        if answer.ends {
            _ = put("0\r\n\r\n")
        } else {
            // Until the tool goes.
            var byte: UInt8 = 0
            _ = recv(descriptor, &byte, 1, 0)
        }
    }
}
