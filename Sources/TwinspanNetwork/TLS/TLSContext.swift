// An SSL_CTX made of a connection's settings, for the libraries that take one and for our own `TLSStream`. Everything
// comes from memory. OpenSSL itself verifies chain and name, because the name is set here and not by the library: so
// the address dialled may be any, also the near end of a tunnel. Why a certificate was refused is remembered here,
// because libraries only tell that the handshake failed.
//
// Threads: made on one thread; afterwards only OpenSSL changes it, under locks of its own.
import COpenSSL
import Synchronization
import TwinspanConnections

/// The TLS side of one session's handles.
public final class TLSContext: @unchecked Sendable {
    // Unchecked: `context` is set once and OpenSSL guards what is behind it; `record` has a lock of its own.
    private let context: OpaquePointer
    private let record: TLSRecord
    public let settings: TLSSettings

    /// Makes a context. Takes some milliseconds, more with a large bundle; blocks on nothing but the system's
    /// certificates.
    public convenience init(_ settings: TLSSettings) throws(TLSMaterialError) {
        guard let made = SSL_CTX_new(TLS_client_method()) else {
            throw TLSMaterialError(
                pointer: "/uri", message: "OpenSSL cannot make a TLS context",
                hint: "give the process more memory, or check OpenSSL's own configuration")
        }
        try self.init(settings, owning: made)
    }

    /// Sets up a context that a library has made and keeps, as librabbitmq does; it is kept alive here as well. What
    /// the library sets about verification afterwards would undo what is set here.
    ///
    /// - Parameter pointer: an `SSL_CTX`.
    public convenience init(_ settings: TLSSettings, configuring pointer: UnsafeMutableRawPointer)
        throws(TLSMaterialError)
    {
        let context = OpaquePointer(pointer)
        SSL_CTX_up_ref(context)
        try self.init(settings, owning: context)
    }

    /// Takes over one reference to `context`.
    private init(_ settings: TLSSettings, owning context: OpaquePointer) throws(TLSMaterialError) {
        self.context = context
        self.settings = settings
        record = TLSRecord(settings)
        try configure()
    }

    deinit { SSL_CTX_free(context) }

    /// The `SSL_CTX`, for a library that takes a reference of its own (libmosquitto: `MOSQ_OPT_SSL_CTX`). Valid while
    /// this object lives.
    public var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(context) }

    /// What was wrong with the certificate of the last handshake that was refused by us; nil when none was.
    public var problem: CertificateProblem? { record.state.withLock { $0.problem } }

    /// The last fatal alert of the peer, in OpenSSL's words, e.g. `tlsv13 alert certificate required`'s
    /// `certificate required`; nil when there was none.
    public var alert: TLSAlert? { record.state.withLock { $0.alert } }

    /// Whether the server has asked for a client certificate in the last handshake.
    public var isAskedForCertificate: Bool { record.state.withLock { $0.isAskedForCertificate } }

    /// Forgets problem and alert, before the context is used for another handshake.
    public func forget() { record.state.withLock { $0 = TLSRecord.State() } }

    // MARK: Setting up

    private func configure() throws(TLSMaterialError) {
        twinspan_ssl_set_mode(context, Int(SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS))
        twinspan_ssl_set_minimum_version(
            context, settings.minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION)
        if let ciphers = settings.ciphers {
            ERR_clear_error()
            defer { ERR_clear_error() }
            guard SSL_CTX_set_cipher_list(context, ciphers) == 1 else {
                throw TLSMaterialError(
                    pointer: "/twinspan/tlsCiphers", message: "OpenSSL knows none of these ciphers",
                    hint: "write a list as 'openssl ciphers -s -tls1_2' does, e.g. ECDHE+AESGCM:ECDHE+CHACHA20")
            }
        }
        let anchors = try trust()
        try present()
        TLSRecord.attach(record, anchors: anchors, to: context)
        if settings.validates {
            expectServer()
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verifyCertificate)
        } else {
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        }
        SSL_CTX_set_info_callback(context, noteHandshake)
        SSL_CTX_set_cert_cb(context, noteCertificateRequest, nil)
    }

    /// The certificates that end a chain: those of `ca`, or the system's, which OpenSSL looks up as it needs them.
    private func trust() throws(TLSMaterialError) -> PEMCertificates? {
        guard let text = settings.trustedCertificates else {
            if settings.validates { SSL_CTX_set_default_verify_paths(context) }
            return nil
        }
        let anchors = try PEMCertificates(text, pointer: "/ca")
        let store = SSL_CTX_get_cert_store(context)
        for certificate in anchors.items { X509_STORE_add_cert(store, certificate) }
        // A chain may end in any of them, also in one that is not self-signed.
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        return anchors
    }

    /// The client's own certificate.
    private func present() throws(TLSMaterialError) {
        guard let client = settings.clientCertificate else { return }
        let certificates = try PEMCertificates(client.chain, pointer: "/credentials/cert")
        let key = try PEMKey(client.key, pointer: "/credentials/key")
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard SSL_CTX_use_certificate(context, certificates.items[0]) == 1 else {
            throw TLSMaterialError(
                pointer: "/credentials/cert", message: "OpenSSL does not take this certificate (\(openSSLReason()))",
                hint: "keys of at least 2048 bits and signatures with SHA-256 are taken everywhere")
        }
        for certificate in certificates.items.dropFirst() {
            twinspan_ssl_add_chain_certificate(context, certificate)
        }
        // Taking a key compares it with the certificate.
        guard SSL_CTX_use_PrivateKey(context, key.key) == 1 else {
            throw TLSMaterialError(
                pointer: "/credentials/key", message: "the key does not belong to the certificate in 'cert'",
                hint: "put the client's own certificate first in 'cert', and its key into 'key'")
        }
    }

    /// The name or address that the server's certificate must have.
    private func expectServer() {
        let parameters = SSL_CTX_get0_param(context)
        if let address = IPAddress(settings.serverName) {
            X509_VERIFY_PARAM_set1_ip(parameters, address.bytes, address.bytes.count)
        } else {
            X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            X509_VERIFY_PARAM_set1_host(parameters, settings.serverName, 0)
        }
    }
}

/// A fatal alert that the peer has sent.
public struct TLSAlert: Sendable, Equatable {
    /// Its number (RFC 8446 §6).
    public var code: Int
    /// OpenSSL's name for it, e.g. `certificate required`.
    public var text: String

    public init(code: Int, text: String) {
        self.code = code
        self.text = text
    }

    /// Whether the peer complains about the client's certificate, or that there is none.
    public var concernsClientCertificate: Bool { (41...46).contains(code) || code == 48 || code == 116 }
}

/// The words of OpenSSL's last error on this thread.
func openSSLReason() -> String {
    let error = ERR_peek_last_error()
    return ERR_reason_error_string(error).map { String(cString: $0) } ?? "no reason given"
}
