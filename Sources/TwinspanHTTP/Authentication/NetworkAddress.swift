// Where a request came from, as the throttle counts it.
import Glibc
import NIOCore

/// A peer's address reduced to what one party can be expected to own: an IPv4 address, or an IPv6 network of 64 bits.
enum NetworkAddress {
    /// The number under which attempts of this peer are counted; 0 when the address is not known.
    static func key(of address: SocketAddress?) -> UInt64 {
        guard let text = address?.ipAddress else { return 0 }
        return key(ofText: text)
    }

    static func key(ofText text: String) -> UInt64 {
        var version4 = in_addr()
        if inet_pton(AF_INET, text, &version4) == 1 { return UInt64(UInt32(bigEndian: version4.s_addr)) }
        var version6 = in6_addr()
        guard inet_pton(AF_INET6, text, &version6) == 1 else { return 0 }
        return withUnsafeBytes(of: &version6) { bytes in
            // An IPv4 address in IPv6 clothes counts as what it is.
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            if isMapped { return UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))) }
            return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        }
    }
}
