// What is in a certificate and what OpenSSL says of it, as text for people.
import COpenSSL

enum CertificateText {
    /// What an error code of the verification means for this certificate.
    static func finding(_ code: Int32, _ certificate: OpaquePointer) -> TLSInspection.Finding {
        switch code {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: .otherName(names(certificate))
        case X509_V_ERR_CERT_NOT_YET_VALID: .notYetValid(until: time(X509_get0_notBefore(certificate)))
        case X509_V_ERR_CERT_HAS_EXPIRED: .expired(since: time(X509_get0_notAfter(certificate)))
        case X509_V_ERR_CERT_REVOKED: .revoked
        default: .untrusted(detail: String(cString: X509_verify_cert_error_string(Int(code))))
        }
    }

    /// Whose certificate it is, e.g. `CN = broker.example`.
    static func subject(_ certificate: OpaquePointer) -> String {
        let text = printed { X509_NAME_print_ex($0, X509_get_subject_name(certificate), 0, twinspan_x509_one_line) }
        return text.isEmpty ? "nobody" : String(text.prefix(200))
    }

    /// The names and addresses it is for: those of the extension, else the common name.
    static func names(_ certificate: OpaquePointer) -> [String] {
        let index = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        if index >= 0, let found = X509_get_ext(certificate, index) {
            let text = printed { X509V3_EXT_print($0, found, 0, 0) }
            let names = text.split(separator: ",").compactMap { entry -> String? in
                let parts = entry.split(separator: ":", maxSplits: 1)
                return parts.count == 2 ? String(parts[1]) : nil
            }
            if !names.isEmpty { return names }
        }
        var buffer = [CChar](repeating: 0, count: 256)
        let subject = X509_get_subject_name(certificate)
        guard X509_NAME_get_text_by_NID(subject, NID_commonName, &buffer, Int32(buffer.count)) > 0 else { return [] }
        return [text(buffer)]
    }

    private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        printed { ASN1_TIME_print($0, time) }
    }

    /// What a function of OpenSSL writes.
    private static func printed(_ write: (OpaquePointer) -> Int32) -> String {
        guard let stream = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(stream) }
        _ = write(stream)
        var buffer = [CChar](repeating: 0, count: 2048)
        let count = BIO_read(stream, &buffer, Int32(buffer.count - 1))
        return count > 0 ? text(buffer) : ""
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
