// Hashes out of the OpenSSL that is loaded anyway.
import COpenSSL

enum MessageDigest {
    /// The hash of some bytes; nil when OpenSSL has no such algorithm, or its policy does not allow it.
    static func hash(_ bytes: [UInt8], _ algorithm: String) -> [UInt8]? {
        guard let method = EVP_get_digestbyname(algorithm) else { return nil }
        var hash = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &hash, &length, method, nil) == 1 else { return nil }
        return Array(hash.prefix(Int(length)))
    }
}
