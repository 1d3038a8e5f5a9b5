// What the TLS layer is told (spec/connectivity-bindings.md §7): whom to trust, who we are, from which version on.
import NIOSSL
import TwinspanConnections

extension HTTPPushFields {
    /// Settings for connections to the connection's own host.
    func tlsConfiguration() throws(BrokerFailure) -> TLSConfiguration {
        do {
            var settings = TLSConfiguration.makeClientConfiguration()
            settings.minimumTLSVersion = .tlsv12
            settings.certificateVerification = validatesCertificates ? .fullVerification : .none
            if let trustedCertificates {
                settings.trustRoots = .certificates(
                    try NIOSSLCertificate.fromPEMBytes(Array(trustedCertificates.utf8)))
            }
            if let client = clientCertificate {
                settings.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(client.certificate.utf8))
                    .map { .certificate($0) }
                settings.privateKey = .privateKey(
                    try NIOSSLPrivateKey(bytes: Array(client.key.exposed.utf8), format: .pem))
            }
            return settings
        } catch {
            throw HTTPPushFailure.certificates(error)
        }
    }

    /// Settings for connections to the token endpoint: the connection's authority counts beside those of the system,
    /// and the client certificate stays where it belongs.
    func tokenTLSConfiguration() throws(BrokerFailure) -> TLSConfiguration {
        do {
            var settings = TLSConfiguration.makeClientConfiguration()
            settings.minimumTLSVersion = .tlsv12
            settings.certificateVerification = validatesCertificates ? .fullVerification : .none
            if let trustedCertificates {
                let certificates = try NIOSSLCertificate.fromPEMBytes(Array(trustedCertificates.utf8))
                settings.additionalTrustRoots = [.certificates(certificates)]
            }
            return settings
        } catch {
            throw HTTPPushFailure.certificates(error)
        }
    }
}
