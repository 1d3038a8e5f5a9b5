// SHA-256 and HMAC-SHA-256 for signing requests, from the copy of OpenSSL that the client libraries load anyway. Pure:
// bytes in, bytes out, from any thread.
import COpenSSL

/// Digests of bytes.
enum Digest {
    /// Length of a SHA-256 in bytes.
    static let length = 32

    /// SHA-256 (FIPS 180-4).
    /// - Throws: `SigningFailure.digestUnavailable` when the library refuses, for want of memory or by its policy.
    static func sha256(_ bytes: [UInt8]) throws(SigningFailure) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: length)
        guard SHA256(bytes, bytes.count, &digest) != nil else { throw .digestUnavailable }
        return digest
    }

    /// HMAC with SHA-256 (RFC 2104).
    /// - Throws: as `sha256` does, and for a key of 2 GiB or more.
    static func hmacSHA256(key: [UInt8], _ message: [UInt8]) throws(SigningFailure) -> [UInt8] {
        guard let keyLength = Int32(exactly: key.count) else { throw .digestUnavailable }
        var digest = [UInt8](repeating: 0, count: length)
        var written: UInt32 = 0
        let code = HMAC(EVP_sha256(), key, keyLength, message, message.count, &digest, &written)
        guard code != nil, written == UInt32(length) else { throw .digestUnavailable }
        return digest
    }

    /// Lower-case hexadecimal digits.
    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
