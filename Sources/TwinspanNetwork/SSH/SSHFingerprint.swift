// Fingerprints of the keys that hosts show us.
import TwinspanConnections

extension SSHFingerprint {
    /// The fingerprint of a public key, of the bytes that SSH sends for it; nil when OpenSSL's policy forbids the hash.
    init?(_ algorithm: Algorithm, ofKey key: [UInt8]) {
        guard let hash = MessageDigest.hash(key, algorithm.rawValue) else { return nil }
        self.init(algorithm: algorithm, hash: hash)
    }

    /// Whether a public key has this fingerprint.
    func matches(_ key: [UInt8]) -> Bool { SSHFingerprint(algorithm, ofKey: key) == self }
}
