import Testing

@testable import TwinspanHTTP

@Suite("Password hash")
struct PasswordHashTests {
    @Test("a hash verifies the password it was made of and no other")
    func roundTrip() throws {
        let hash = try PasswordHash.make("correct horse")
        #expect(hash.hasPrefix("$y$"))
        #expect(PasswordHash.isWellFormed(hash))
        #expect(PasswordHash.verify("correct horse", against: hash))
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0", hash] {
            #expect(!PasswordHash.verify(wrong, against: hash), "\(wrong)")
        }
    }

    @Test("two hashes of one password differ")
    func salt() throws {
        #expect(try PasswordHash.make("a") != PasswordHash.make("a"))
    }

    @Test("hashes made elsewhere verify")
    func foreign() {
        // SHA-512 crypt, as other tools make it.
        let hash =
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        #expect(PasswordHash.verify("Hello world!", against: hash))
        #expect(!PasswordHash.verify("hello world!", against: hash))
    }

    @Test(
        "what is no hash verifies nothing", arguments: ["", "*", "*0", "x", "secret", "$y$", "$9$abc$def", "$y$j9T$\0"])
    func malformed(_ hash: String) {
        #expect(!PasswordHash.verify("secret", against: hash))
        #expect(!PasswordHash.verify("", against: hash))
    }

    @Test("a password that is empty or contains a zero byte is refused", arguments: ["", "a\0b"])
    func refused(_ password: String) {
        #expect(throws: PasswordHashFailure.self) { try PasswordHash.make(password) }
    }
}
