// The few functions of OpenSSL that driving libmosquitto's TLS connections needs, for an `SSL` that the library owns.
import COpenSSL

/// Looks at, and writes to, a TLS connection of a library.
public enum OpenSSLCalls {
    /// Bytes decrypted and not yet read.
    public static func pending(_ ssl: UnsafeMutableRawPointer) -> Int { Int(SSL_pending(OpaquePointer(ssl))) }

    public static func isHandshakeDone(_ ssl: UnsafeMutableRawPointer) -> Bool {
        SSL_is_init_finished(OpaquePointer(ssl)) != 0
    }

    /// The version of the protocol, e.g. `TLSv1.3`.
    public static func version(_ ssl: UnsafeMutableRawPointer) -> String? {
        SSL_get_version(OpaquePointer(ssl)).map { String(cString: $0) }
    }

    /// Writes all of `bytes`, or reports that it could not.
    public static func write(_ bytes: [UInt8], to ssl: UnsafeMutableRawPointer) -> Bool {
        SSL_write(OpaquePointer(ssl), bytes, Int32(bytes.count)) == Int32(bytes.count)
    }
}
