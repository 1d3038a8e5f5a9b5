// Which hosts connections may reach (spec/connectivity.md §9.2). Pure: names are resolved by whoever asks.
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// An address of the internet protocol, version 4 or 6.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
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

    /// As it is usually written.
    public var description: String {
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        // The longest run of zeros is left out, the first of several (RFC 5952).
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty
            ? text(groups[...]) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
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

    /// What is allowed when nobody says otherwise.
    public static let allowedByDefault = ["hono-endpoint"]

    /// - Parameter regex: hosts that match it as a whole are forbidden.
    /// - Throws: `HostRulesError` for a subnet or an expression that is none.
    public init(
        allowed: [String] = allowedByDefault, blocked: [String] = [], subnets: [String] = [], regex: String? = nil
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

    /// Nothing is forbidden.
    public static let none = HostRules()

    private init() { (allowed, blocked, subnets, pattern) = ([], [], [], nil) }

    /// Whether nothing is forbidden.
    public var isEmpty: Bool { blocked.isEmpty && subnets.isEmpty && pattern == nil }

    /// Why a host may not be used; nil when it may. Subnets and the pattern count by themselves; internal addresses are
    /// forbidden, and names without an address invalid, only beside a blocked host that resolves, as in Ditto.
    /// - Parameter resolve: the addresses of a name; empty when there are none. May block.
    public func problem(ofHost host: String, resolve: (String) -> [IPAddress]) -> String? {
        if isEmpty { return nil }
        let name = host.lowercased()
        if allowed.contains(name) { return nil }
        if pattern?.matches(name) == true { return refusal(host, "it matches a blocked pattern") }
        let forbidden = Set(blocked.flatMap(resolve))
        let addresses = resolve(host)
        if addresses.isEmpty, !forbidden.isEmpty {
            return "The configured host '\(host)' is invalid: it cannot be resolved"
        }
        for address in addresses {
            if address.isInternal, !forbidden.isEmpty {
                return refusal(host, "its address \(address) is an internal one")
            }
            if forbidden.contains(address) { return refusal(host, "its address \(address) is blocked") }
            if subnets.contains(where: { $0.contains(address) }) {
                return refusal(host, "its address \(address) is in a blocked subnet")
            }
        }
        return nil
    }

    /// The same without asking a name server: what the text of the host says by itself. The addresses of a name are
    /// looked at when it is dialled.
    public func problem(ofHost host: String) -> String? {
        if isEmpty || allowed.contains(host.lowercased()) { return nil }
        if blocked.contains(where: { $0.lowercased() == host.lowercased() }) {
            return refusal(host, "it is blocked")
        }
        if let problem = problem(ofHost: host, resolve: { IPAddress($0).map { [$0] } ?? [] }) {
            return IPAddress(host) == nil && pattern?.matches(host.lowercased()) != true ? nil : problem
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

extension HostRules {
    /// What can be said of a connection's broker, tunnel and token endpoint without a network
    /// (spec/connectivity.md §9.2). Hono has no host of its own.
    func problems(_ connection: Connection) -> [BindingProblem] {
        if isEmpty { return [] }
        var hosts: [(path: String, host: String)] = []
        if connection.type != .hono { hosts.append(("/uri", connection.uri.host)) }
        // What cannot be read has been reported.
        if let text = connection.sshTunnel?["uri"]?.string, let tunnel = try? ConnectionURI.parse(text) {
            hosts.append(("/sshTunnel/uri", tunnel.host))
        }
        if let host = connection.credentials?["tokenEndpoint"]?.string.flatMap(Self.host(ofURL:)) {
            hosts.append(("/credentials/tokenEndpoint", host))
        }
        return hosts.compactMap { path, host in
            problem(ofHost: host).map {
                BindingProblem(path: path, message: $0, hint: "see 'blockedHosts' in twinspan.yaml")
            }
        }
    }

    /// The host of a URL.
    static func host(ofURL text: String) -> String? {
        guard let start = text.range(of: "://") else { return nil }
        let authority = text[start...].dropFirst(3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        if place.hasPrefix("[") { return place.dropFirst().split(separator: "]").first.map { String($0) } }
        return place.split(separator: ":", omittingEmptySubsequences: false).first.map { String($0) }
    }
}
