// Certificates and keys out of PEM text, in memory only: nothing of them is ever written to a file.
import COpenSSL
import TwinspanConnections

/// Certificates of one PEM text, owned.
final class PEMCertificates {
    /// At least one, in the order of the text.
    let items: [OpaquePointer]

    /// - Parameter pointer: the field that holds the text, for the error.
    init(_ text: String, pointer: String) throws(TLSMaterialError) {
        ERR_clear_error()
        defer { ERR_clear_error() }
        var found: [OpaquePointer] = []
        withMemory(text) { stream in
            while let certificate = PEM_read_bio_X509(stream, nil, refusePassphrase, nil) { found.append(certificate) }
        }
        items = found
        // The last error is that there is no further block; any other one means a block that cannot be read.
        let error = ERR_peek_last_error()
        guard !found.isEmpty, twinspan_ssl_reason(error) == PEM_R_NO_START_LINE else {
            throw .format(
                pointer, "certificate (DER)", "CERTIFICATE",
                found.isEmpty ? nil : "certificate \(found.count + 1) cannot be read")
        }
    }

    deinit { for item in items { X509_free(item) } }
}

/// A private key out of PEM text, owned.
final class PEMKey {
    let key: OpaquePointer

    /// - Parameter pointer: the field that holds the text, for the error.
    init(_ text: Secret, pointer: String) throws(TLSMaterialError) {
        ERR_clear_error()
        defer { ERR_clear_error() }
        if text.exposed.contains("ENCRYPTED") {
            throw TLSMaterialError(
                pointer: pointer, message: "the key is encrypted",
                hint: "decrypt it: openssl pkcs8 -topk8 -nocrypt -in key.pem; ${file:/path} keeps it out of here")
        }
        var found: OpaquePointer?
        withMemory(text.exposed) { found = PEM_read_bio_PrivateKey($0, nil, refusePassphrase, nil) }
        guard let found else { throw .format(pointer, "PKCS #8 key", "PRIVATE KEY") }
        key = found
    }

    deinit { EVP_PKEY_free(key) }
}

/// Reads a text as OpenSSL reads files.
private func withMemory(_ text: String, _ body: (OpaquePointer) -> Void) {
    var text = text
    text.withUTF8 { bytes in
        guard let start = bytes.baseAddress, let stream = BIO_new_mem_buf(start, Int32(clamping: bytes.count)) else {
            return
        }
        body(stream)
        BIO_free(stream)
    }
}

/// Without it OpenSSL asks for a passphrase on the terminal.
private func refusePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isForWriting: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 { -1 }
