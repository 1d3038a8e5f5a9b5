// Ports and plain listeners on the loopback interface.
import Foundation
import Synchronization

/// Finds ports on 127.0.0.1.
public enum LoopbackPort {
    /// A port nobody listens on at the moment. It lies below the range from which the system takes ports for outgoing
    /// connections, and no other test of this process gets it: a broker can be started on it again and again.
    public static func free() throws -> Int {
        for _ in 0..<range.count {
            let port = range.lowerBound + next.wrappingAdd(1, ordering: .relaxed).newValue % range.count
            if (try? LoopbackListener(port: port, backlog: 1)) != nil { return port }  // Taken: the next one.
        }
        throw ScenarioFailure("no port of \(range) is free")
    }

    private static let range = 20_000..<32_000
    /// Starts somewhere else in every process.
    private static let next = Atomic<Int>(Int(getpid()) * 97)

    /// Whether somebody accepts connections on a port.
    public static func answers(_ port: Int) -> Bool {
        // Any failure means that nobody answers.
        guard let descriptor = try? connect(to: port) else { return false }
        close(descriptor)
        return true
    }

    /// Whether somebody listens on a port, found out without connecting.
    public static func isTaken(_ port: Int) -> Bool {
        // An unreadable table reads as empty; whoever waits then fails at the end of its time.
        let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
        let digits = String(port, radix: 16, uppercase: true)
        let local = ":" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return table.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            // State 0A is listening.
            return fields.count > 3 && fields[1].hasSuffix(local) && fields[3] == "0A"
        }
    }

    /// A connected socket.
    public static func connect(to port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let code = withSockAddr(&address) { Glibc.connect(descriptor, $0, $1) }
        guard code == 0 else {
            close(descriptor)
            throw ScenarioFailure("nobody listens on port \(port)")
        }
        return descriptor
    }

    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }

    static func withSockAddr<Result>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

/// A listening socket on a port of the system's choice. Without `accept` it is a server that never says a word.
public final class LoopbackListener: @unchecked Sendable {
    // Unchecked: immutable after init.
    public let port: Int
    private let descriptor: Int32

    public init(port wanted: Int = 0, backlog: Int32 = 16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = LoopbackPort.loopback(wanted)
        let socket = descriptor
        // A port whose last connections have just ended can be used again, as a broker does.
        var isReused: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        guard LoopbackPort.withSockAddr(&address, { bind(socket, $0, $1) }) == 0, listen(socket, backlog) == 0 else {
            throw ScenarioFailure("cannot listen on loopback")
        }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = LoopbackPort.withSockAddr(&address) { pointer, _ in getsockname(socket, pointer, &length) }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// Waits for a connection; -1 once `close` was called.
    public func accept() -> Int32 { Glibc.accept(descriptor, nil, nil) }

    /// Fills the queue of waiting connections, so that the system ignores further ones: connecting then takes for ever.
    /// Keep the returned descriptors open for as long as that shall last, and close them.
    public func saturate() -> [Int32] {
        (0..<4).map { _ in
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let filler = socket(AF_INET, kind, 0)
            var address = LoopbackPort.loopback(port)
            _ = LoopbackPort.withSockAddr(&address) { connect(filler, $0, $1) }
            return filler
        }
    }

    /// Ends a waiting `accept`.
    public func interrupt() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
