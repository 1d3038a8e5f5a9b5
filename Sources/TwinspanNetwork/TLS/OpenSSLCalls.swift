// Four functions of OpenSSL, found at run time in the copy that libmosquitto itself has loaded. Linking OpenSSL for
// them would add a dependency and could bring a second version of it into the process.
import Glibc

/// OpenSSL as far as libmosquitto's TLS connections need it from outside.
public enum OpenSSLCalls {
    private typealias Query = @convention(c) (UnsafeMutableRawPointer) -> Int32
    private typealias Write = @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer?, Int32) -> Int32

    private static let pendingFunction: Query? = symbol("SSL_pending").map { unsafeBitCast($0, to: Query.self) }
    private static let doneFunction: Query? = symbol("SSL_is_init_finished").map { unsafeBitCast($0, to: Query.self) }
    private typealias Words = @convention(c) (UnsafeMutableRawPointer) -> UnsafePointer<CChar>?
    private static let versionFunction: Words? = symbol("SSL_get_version").map { unsafeBitCast($0, to: Words.self) }
    private static let writeFunction: Write? = symbol("SSL_write").map { unsafeBitCast($0, to: Write.self) }

    /// Whether the library was built with a TLS layer we can drive.
    public static var areAvailable: Bool { pendingFunction != nil && doneFunction != nil && writeFunction != nil }

    /// Bytes decrypted and not yet read.
    public static func pending(_ ssl: UnsafeMutableRawPointer) -> Int {
        pendingFunction.map { Int($0(ssl)) } ?? 0
    }

    public static func isHandshakeDone(_ ssl: UnsafeMutableRawPointer) -> Bool {
        doneFunction.map { $0(ssl) != 0 } ?? true
    }

    /// The version of the protocol, e.g. `TLSv1.3`.
    public static func version(_ ssl: UnsafeMutableRawPointer) -> String? {
        versionFunction?(ssl).map { String(cString: $0) }
    }

    /// Writes all of `bytes`, or reports that it could not.
    public static func write(_ bytes: [UInt8], to ssl: UnsafeMutableRawPointer) -> Bool {
        writeFunction.map { $0(ssl, bytes, Int32(bytes.count)) == Int32(bytes.count) } ?? false
    }

    private static func symbol(_ name: String) -> UnsafeMutableRawPointer? {
        // RTLD_DEFAULT is a null pointer: search everything the process has loaded.
        dlsym(nil, name)
    }
}
