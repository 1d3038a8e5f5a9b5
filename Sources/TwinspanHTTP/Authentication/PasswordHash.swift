// Password hashes in the format of the system's crypt: `twinspan hash-password` makes them, the configuration carries
// them, a login is verified against them. Each call takes tens of milliseconds by design, so never call it on an event
// loop or in the cooperative pool.
import CCrypt
import Glibc

/// Makes and verifies crypt(5) password hashes.
public enum PasswordHash {
    /// A new yescrypt hash of a password, with a random salt.
    /// - Throws: `PasswordHashFailure` for a password that cannot be hashed.
    public static func make(_ password: String) throws(PasswordHashFailure) -> String {
        guard !password.isEmpty else { throw PasswordHashFailure(description: "the password is empty") }
        guard !password.utf8.contains(0) else {
            throw PasswordHashFailure(description: "the password contains a zero byte")
        }
        guard let salt = salt(), let hash = hash(password, setting: salt) else {
            throw PasswordHashFailure(
                description: "the system's crypt library cannot make a yescrypt hash (error \(errno))")
        }
        return hash
    }

    /// Whether the hash was made of this password. False for a hash that is not well formed.
    public static func verify(_ password: String, against hash: String) -> Bool {
        guard !password.utf8.contains(0), isWellFormed(hash) else { return false }
        guard let made = self.hash(password, setting: hash) else { return false }
        return isEqual(made, hash)
    }

    /// Whether the text is a hash that the crypt library can verify a password against.
    public static func isWellFormed(_ hash: String) -> Bool {
        guard !hash.isEmpty, !hash.utf8.contains(0) else { return false }
        let verdict = crypt_checksalt(hash)
        return verdict == CRYPT_SALT_OK || verdict == CRYPT_SALT_METHOD_LEGACY
    }

    /// Room for any salt of the library, whose own limit is 192 bytes.
    private static let saltBytes = Int(CRYPT_GENSALT_OUTPUT_SIZE)

    private static func salt() -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: saltBytes) { buffer -> String? in
            // Without random bytes of ours the library takes its own from the system.
            guard crypt_gensalt_rn("$y$", 0, nil, 0, buffer.baseAddress, Int32(saltBytes)) != nil else { return nil }
            return buffer.baseAddress.map { String(cString: $0) }
        }
    }

    private static func hash(_ password: String, setting: String) -> String? {
        // 32 KiB: too much for the stack of a pool thread.
        let work = UnsafeMutablePointer<crypt_data>.allocate(capacity: 1)
        memset(work, 0, MemoryLayout<crypt_data>.size)
        defer {
            explicit_bzero(work, MemoryLayout<crypt_data>.size)
            work.deallocate()
        }
        guard let result = crypt_r(password, setting, work) else { return nil }
        let hash = String(cString: result)
        // The library reports a failure as a text that no hash begins with.
        return hash.hasPrefix("*") ? nil : hash
    }

    /// Takes the same time wherever the texts differ.
    private static func isEqual(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
    }
}

/// Why a password could not be hashed.
public struct PasswordHashFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
}
