// AES-256-GCM out of the system's OpenSSL. It is opened only when a key is configured: whoever has none pays nothing,
// and the build needs no header of it. Our own code would not run in constant time, and swift-crypto would bring a
// second BoringSSL into the process and minutes into the build (ARCHITECTURE.md, dependencies).
import Glibc

/// Seals and opens short texts with one key.
struct AESCipher: Sendable {
    static let keyLength = 32
    private static let nonceLength = 12
    private static let tagLength = 16

    private let key: [UInt8]
    private let functions: Functions

    /// Throws when the system has no OpenSSL 3 or 1.1.
    init(key: [UInt8]) throws(SecretsFailure) {
        precondition(key.count == Self.keyLength)
        guard let functions = Functions.found else {
            throw SecretsFailure(
                description: "secrets cannot be encrypted: libcrypto is not there",
                hint: "install OpenSSL (Debian: libssl3), or unset \(SecretsAtRest.keyVariable)")
        }
        self.key = key
        self.functions = functions
    }

    /// Nonce, ciphertext and tag in one. The nonce is random; 96 bits of it are enough for billions of secrets.
    /// Nil when OpenSSL refuses, as one does whose policy does not allow the cipher.
    func seal(_ plain: [UInt8]) -> [UInt8]? {
        var generator = SystemRandomNumberGenerator()
        let nonce = (0..<Self.nonceLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        var sealed = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: Self.tagLength)
        let isDone = functions.withContext { context in
            var length: Int32 = 0
            return functions.begin(context, functions.algorithm(), nil, key, nonce, 1) == 1
                && functions.update(context, &sealed, &length, plain, Int32(plain.count)) == 1
                && functions.end(context, &tag, &length) == 1
                && functions.control(context, Functions.getTag, Int32(Self.tagLength), &tag) == 1
        }
        return isDone ? nonce + sealed + tag : nil
    }

    /// What was sealed; nil when it was sealed with another key, or has been changed.
    func open(_ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.nonceLength + Self.tagLength else { return nil }
        let nonce = Array(sealed.prefix(Self.nonceLength))
        let text = Array(sealed[Self.nonceLength..<(sealed.count - Self.tagLength)])
        var tag = Array(sealed.suffix(Self.tagLength))
        // One byte more, because an empty array has no address to write to.
        var plain = [UInt8](repeating: 0, count: text.count + 1)
        let isGenuine = functions.withContext { context in
            var length: Int32 = 0
            var rest = [UInt8](repeating: 0, count: 16)
            return functions.begin(context, functions.algorithm(), nil, key, nonce, 0) == 1
                && functions.update(context, &plain, &length, text, Int32(text.count)) == 1
                && functions.control(context, Functions.setTag, Int32(Self.tagLength), &tag) == 1
                && functions.end(context, &rest, &length) == 1
        }
        return isGenuine ? Array(plain.prefix(text.count)) : nil
    }

    /// The functions of the library.
    ///
    /// Unchecked: immutable after init, and the functions may be called on any thread.
    private struct Functions: @unchecked Sendable {
        typealias Context = UnsafeMutableRawPointer
        typealias Bytes = UnsafeMutablePointer<UInt8>

        let make: @convention(c) () -> Context?
        let free: @convention(c) (Context) -> Void
        let algorithm: @convention(c) () -> UnsafeRawPointer?
        let begin:
            @convention(c) (
                Context, UnsafeRawPointer?, UnsafeRawPointer?, UnsafePointer<UInt8>, UnsafePointer<UInt8>, Int32
            ) -> Int32
        let update: @convention(c) (Context, Bytes, UnsafeMutablePointer<Int32>, UnsafePointer<UInt8>, Int32) -> Int32
        let end: @convention(c) (Context, Bytes, UnsafeMutablePointer<Int32>) -> Int32
        let control: @convention(c) (Context, Int32, Int32, UnsafeMutableRawPointer) -> Int32

        /// `EVP_CTRL_AEAD_GET_TAG` and `EVP_CTRL_AEAD_SET_TAG`.
        static let getTag: Int32 = 0x10
        static let setTag: Int32 = 0x11

        static let found: Functions? = {
            let names = ["libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib"]
            guard let library = names.lazy.compactMap({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }).first else { return nil }
            guard let make = dlsym(library, "EVP_CIPHER_CTX_new"), let free = dlsym(library, "EVP_CIPHER_CTX_free"),
                let algorithm = dlsym(library, "EVP_aes_256_gcm"), let begin = dlsym(library, "EVP_CipherInit_ex"),
                let update = dlsym(library, "EVP_CipherUpdate"), let end = dlsym(library, "EVP_CipherFinal_ex"),
                let control = dlsym(library, "EVP_CIPHER_CTX_ctrl")
            else { return nil }
            return Functions(
                make: unsafeBitCast(make, to: (@convention(c) () -> Context?).self),
                free: unsafeBitCast(free, to: (@convention(c) (Context) -> Void).self),
                algorithm: unsafeBitCast(algorithm, to: (@convention(c) () -> UnsafeRawPointer?).self),
                begin: unsafeBitCast(
                    begin,
                    to: (@convention(c) (
                        Context, UnsafeRawPointer?, UnsafeRawPointer?, UnsafePointer<UInt8>, UnsafePointer<UInt8>, Int32
                    ) -> Int32).self),
                update: unsafeBitCast(
                    update,
                    to: (@convention(c) (
                        Context, Bytes, UnsafeMutablePointer<Int32>, UnsafePointer<UInt8>, Int32
                    ) -> Int32).self),
                end: unsafeBitCast(
                    end, to: (@convention(c) (Context, Bytes, UnsafeMutablePointer<Int32>) -> Int32).self),
                control: unsafeBitCast(
                    control, to: (@convention(c) (Context, Int32, Int32, UnsafeMutableRawPointer) -> Int32).self))
        }()

        func withContext(_ body: (Context) -> Bool) -> Bool {
            guard let context = make() else { return false }
            defer { free(context) }
            return body(context)
        }
    }
}
