// Which hosts connections may reach (spec/connectivity.md §9.2). Pure: names are resolved by whoever asks.
import TwinspanExpressions

/// An address of the internet protocol, version 4 or 6.
public struct IPAddress: Sendable, Hashable {
    /// 4 or 16 bytes.
    public let bytes: [UInt8]

    public init?(_ text: String) {
        let text = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        guard let bytes = text.contains(":") ? Self.six(text) : Self.four(text[...]) else { return nil }
        // An IPv4 address in the clothes of an IPv6 one is what it is.
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        self.bytes = bytes.count == 16 && Array(bytes[..<12]) == mapped ? Array(bytes[12...]) : bytes
    }

    private static func four(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part -> UInt8? in
            part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && part.utf8.count <= 3 ? UInt8(part) : nil
        }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func six(_ text: String) -> [UInt8]? {
        // The zone of a link-local address says nothing about the address.
        let address = text.split(separator: "%", maxSplits: 1)[0]
        let halves =
            address.range(of: "::").map { place in
                [address[..<place], address[address.index(place, offsetBy: 2)...]]
            } ?? [address]
        var bytes: [[UInt8]] = []
        for half in halves {
            var part: [UInt8] = []
            for group in half.isEmpty ? [] : half.split(separator: ":", omittingEmptySubsequences: false) {
                if let four = four(group) {
                    part += four
                } else if (1...4).contains(group.utf8.count), let number = UInt16(group, radix: 16) {
                    part += [UInt8(number >> 8), UInt8(number & 0xFF)]
                } else {
                    return nil
                }
            }
            bytes.append(part)
        }
        let count = bytes.reduce(0) { $0 + $1.count }
        if bytes.count == 1 { return count == 16 ? bytes[0] : nil }
        return count < 16 ? bytes[0] + [UInt8](repeating: 0, count: 16 - count) + bytes[1] : nil
    }

    /// Whether it is one that is never on another network: of this machine, of this site, of many, or none.
    var isInternal: Bool {
        if bytes.count == 4 {
            switch (bytes[0], bytes[1]) {
            case (127, _), (10, _), (192, 168), (172, 16...31), (224...239, _): return true
            default: return bytes == [0, 0, 0, 0]
            }
        }
        let isLoopbackOrNone = bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] <= 1
        let isSite = bytes[0] == 0xFE && bytes[1] & 0xC0 == 0xC0 || bytes[0] & 0xFE == 0xFC
        return isLoopbackOrNone || isSite || bytes[0] == 0xFF
    }
}

/// The rules of an installation.
public struct HostRules: Sendable {
    /// A range of addresses, `192.0.2.0/24`.
    public struct Subnet: Sendable, Equatable {
        let address: IPAddress
        let length: Int

        public init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]),
                (0...(address.bytes.count * 8)).contains(length)
            else { return nil }
            self.address = address
            self.length = length
        }

        func contains(_ other: IPAddress) -> Bool {
            guard other.bytes.count == address.bytes.count else { return false }
            return (0..<length).allSatisfy { bit in
                let mask = UInt8(0x80) >> UInt8(bit % 8)
                return other.bytes[bit / 8] & mask == address.bytes[bit / 8] & mask
            }
        }
    }

    /// Hosts that are always allowed, in lower case.
    public let allowed: Set<String>
    /// Hosts whose addresses are forbidden. Without one that resolves there are no rules at all.
    public let blocked: [String]
    public let subnets: [Subnet]
    private let pattern: TextPattern?

    /// - Parameter regex: hosts that match it as a whole are forbidden.
    /// - Throws: `HostRulesError` for a subnet or an expression that is none.
    public init(
        allowed: [String] = ["hono-endpoint"], blocked: [String] = [], subnets: [String] = [], regex: String? = nil
    ) throws(HostRulesError) {
        self.allowed = Set(allowed.map { $0.lowercased() })
        self.blocked = blocked
        var ranges: [Subnet] = []
        for text in subnets {
            guard let subnet = Subnet(text) else { throw HostRulesError(message: "'\(text)' is not a subnet") }
            ranges.append(subnet)
        }
        self.subnets = ranges
        guard let regex, !regex.isEmpty else {
            pattern = nil
            return
        }
        guard let compiled = TextPattern(regex) else {
            throw HostRulesError(message: "'\(regex)' is not a regular expression")
        }
        pattern = compiled
    }

    /// Why a host may not be used; nil when it may.
    /// - Parameter resolve: the addresses of a name; empty when there are none.
    public func problem(ofHost host: String, resolve: (String) -> [IPAddress]) -> String? {
        let forbidden = Set(blocked.flatMap(resolve))
        if forbidden.isEmpty { return nil }
        let name = host.lowercased()
        if allowed.contains(name) { return nil }
        if pattern?.matches(name) == true { return refusal(host, "it matches a blocked pattern") }
        let addresses = resolve(host)
        if addresses.isEmpty { return "The configured host '\(host)' is invalid: it cannot be resolved" }
        for address in addresses {
            if address.isInternal { return refusal(host, "its address is an internal one") }
            if forbidden.contains(address) { return refusal(host, "its address is blocked") }
            if subnets.contains(where: { $0.contains(address) }) {
                return refusal(host, "its address is in a blocked subnet")
            }
        }
        return nil
    }

    private func refusal(_ host: String, _ reason: String) -> String {
        "The configured host '\(host)' may not be used for the connection because \(reason)"
    }
}

/// Why rules cannot be made.
public struct HostRulesError: Error, Sendable, Equatable {
    public let message: String
}
