// Fingerprints of host keys in the notation of `ssh-keygen -l`.
import TwinspanProtocol

/// The hash of a host's public key.
public struct SSHFingerprint: Sendable, Equatable, CustomStringConvertible {
    /// The hashes that may be used.
    public enum Algorithm: String, Sendable, CaseIterable {
        case md5 = "MD5"
        case sha1 = "SHA1"
        case sha224 = "SHA224"
        case sha256 = "SHA256"
        case sha384 = "SHA384"
        case sha512 = "SHA512"

        /// Bytes of a hash.
        var length: Int {
            switch self {
            case .md5: 16
            case .sha1: 20
            case .sha224: 28
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    public let algorithm: Algorithm
    public let hash: [UInt8]

    /// `MD5:aa:bb:…`, `SHA256:<Base64>` with or without padding, and so on; pairs of digits alone are MD5. Nil for
    /// anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let named = Algorithm(rawValue: parts[0].uppercased())
        algorithm = named ?? .md5
        let rest = named == nil ? text[...] : parts.count == 2 ? parts[1] : ""
        let bytes: [UInt8]?
        if algorithm == .md5 {
            let pairs = rest.split(separator: ":", omittingEmptySubsequences: false)
            bytes = pairs.allSatisfy { $0.utf8.count == 2 } ? pairs.compactMap { UInt8($0, radix: 16) } : nil
        } else {
            bytes = Base64.decode(String(rest))
        }
        guard let bytes, bytes.count == algorithm.length else { return nil }
        hash = bytes
    }

    /// - Parameter hash: as long as the algorithm makes them.
    public init(algorithm: Algorithm, hash: [UInt8]) {
        self.algorithm = algorithm
        self.hash = hash
    }

    public var description: String {
        let digits = Array("0123456789abcdef")
        let text =
            algorithm == .md5
            ? hash.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
            : String(Base64.encode(hash).prefix { $0 != "=" })
        return "\(algorithm.rawValue):\(text)"
    }
}
