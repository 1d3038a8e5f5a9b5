// Addresses of a host name, and which of them answers. The library's own connect would block in name resolution and,
// for each silent address, for minutes; so both are done here first, under one deadline that a stop cuts short.
import Glibc

/// One address of a host with its port, as the kernel wants it.
public struct HostAddress: Sendable, Equatable {
    /// The bytes of a `sockaddr_in` or `sockaddr_in6`.
    public let socketAddress: [UInt8]
    /// The address as text without port, e.g. `192.0.2.10` or `2001:db8::1`; resolves to itself.
    public let text: String

    /// `192.0.2.10:1883` or `[2001:db8::1]:1883`.
    public func peer(port: Int) -> String { text.contains(":") ? "[\(text)]:\(port)" : "\(text):\(port)" }

    /// Why a name has no address.
    public struct ResolutionFailure: Error, Equatable, Sendable {
        /// Whether asking again later may help, e.g. because no name server answered.
        public let isTemporary: Bool
        /// The resolver's words.
        public let text: String
    }

    /// All addresses of a name, each once, in the resolver's order. Blocks for as long as the resolver likes, unless
    /// `isLiteral` restricts it to addresses written as such.
    public static func resolve(
        _ host: String, port: Int, isLiteral: Bool = false
    ) -> Result<[HostAddress], ResolutionFailure> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isLiteral ? AI_NUMERICHOST : AI_ADDRCONFIG)
        var list: UnsafeMutablePointer<addrinfo>?
        var code = getaddrinfo(host, String(port), &hints, &list)
        if code != 0, !isLiteral {
            // AI_ADDRCONFIG hides loopback addresses on a machine whose only interface is loopback.
            hints.ai_flags = AI_NUMERICSERV
            code = getaddrinfo(host, String(port), &hints, &list)
        }
        guard code == 0 else {
            return .failure(
                ResolutionFailure(isTemporary: code == EAI_AGAIN, text: String(cString: gai_strerror(code))))
        }
        defer { freeaddrinfo(list) }
        var addresses: [HostAddress] = []
        var entry = list
        while let current = entry, addresses.count < maximumCount {
            if let address = HostAddress(current.pointee), !addresses.contains(address) { addresses.append(address) }
            entry = current.pointee.ai_next
        }
        return .success(addresses)
    }

    /// Addresses tried per attempt; more than this is a misconfigured zone, not a broker.
    private static let maximumCount = 16

    private init?(_ entry: addrinfo) {
        guard let pointer = entry.ai_addr else { return nil }
        socketAddress = Array(UnsafeRawBufferPointer(start: pointer, count: Int(entry.ai_addrlen)))
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(pointer, entry.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
