// TLS of qpid-proton. The library reads certificates from files only; they are handed over as files without a name.
import CQpidProton

/// How the peer is verified and who we are. Shared by the connections of one session.
final class ProtonSecurity {
    private let domain: OpaquePointer
    private let hostName: String

    /// - Parameters:
    ///   - hostName: the name in the peer's certificate.
    ///   - authorities: path of a file or directory with trusted certificates.
    ///   - identity: paths of certificate and key of ours.
    init?(hostName: String, validates: Bool, authorities: String, identity: (certificate: String, key: String)?) {
        guard let domain = pn_ssl_domain(PN_SSL_MODE_CLIENT) else { return nil }
        self.domain = domain
        self.hostName = hostName
        guard pn_ssl_domain_set_trusted_ca_db(domain, authorities) == 0,
            pn_ssl_domain_set_protocols(domain, "TLSv1.2 TLSv1.3") == 0,
            pn_ssl_domain_set_peer_authentication(
                domain, validates ? PN_SSL_VERIFY_PEER_NAME : PN_SSL_ANONYMOUS_PEER, nil) == 0
        else { return nil }
        if let identity, pn_ssl_domain_set_credentials(domain, identity.certificate, identity.key, nil) != 0 {
            return nil
        }
    }

    deinit { pn_ssl_domain_free(domain) }

    func apply(to transport: OpaquePointer) {
        let ssl = pn_ssl(transport)
        pn_ssl_init(ssl, domain, nil)
        pn_ssl_set_peer_hostname(ssl, hostName)
    }

    static func version(of transport: OpaquePointer) -> String? {
        var buffer = [CChar](repeating: 0, count: 64)
        guard pn_ssl_get_protocol_name(pn_ssl(transport), &buffer, buffer.count) else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
