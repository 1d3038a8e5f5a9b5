// What OpenSSL tells while it shakes hands, kept beside the context it belongs to. The callbacks run inside the
// library's call, on its thread; they copy and return.
import COpenSSL
import Synchronization

/// What has become of the handshakes of one context. Lives as long as the `SSL_CTX`, which retains it.
final class TLSRecord: Sendable {
    struct State {
        var problem: CertificateProblem?
        var alert: TLSAlert?
        var isAskedForCertificate = false
    }

    let state = Mutex(State())
    /// Sent to the server as the name that is asked for; nil for an address.
    let indicatedName: String?
    private let anchors = Mutex<AnchorList?>(nil)

    /// The certificates of `ca`. The list is only read, and its certificates are never changed.
    private struct AnchorList: @unchecked Sendable { let certificates: PEMCertificates }

    init(_ settings: TLSSettings) {
        indicatedName = settings.isAddress ? nil : settings.serverName
    }

    /// Makes the record known to the callbacks of a context.
    static func attach(_ record: TLSRecord, anchors: PEMCertificates?, to context: OpaquePointer) {
        if let anchors {
            let list = AnchorList(certificates: anchors)
            record.anchors.withLock { $0 = list }
        }
        // A context that is set up anew lets go of the record it had.
        let former = SSL_CTX_get_ex_data(context, index)
        // Released by `releaseRecord` when OpenSSL frees the context, which may be after our own reference is gone.
        let retained = Unmanaged.passRetained(record)
        guard SSL_CTX_set_ex_data(context, index, retained.toOpaque()) == 1 else { return retained.release() }
        if let former { Unmanaged<TLSRecord>.fromOpaque(former).release() }
    }

    /// The record of the context a connection was made with.
    static func of(_ ssl: OpaquePointer?) -> TLSRecord? {
        guard let ssl, let context = SSL_get_SSL_CTX(ssl), let pointer = SSL_CTX_get_ex_data(context, index) else {
            return nil
        }
        return Unmanaged<TLSRecord>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Whether `ca` names this very certificate, which then needs no name (spec/connectivity.md §9.1).
    func trustsItself(_ certificate: OpaquePointer) -> Bool {
        let list = anchors.withLock { $0 }
        return list?.certificates.items.contains { X509_cmp($0, certificate) == 0 } ?? false
    }

    /// The slot of our records in contexts.
    private static let index: Int32 = twinspan_ssl_new_context_index(releaseRecord)
}

/// Called when OpenSSL frees a context.
private func releaseRecord(
    _ parent: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?,
    _ list: UnsafeMutablePointer<CRYPTO_EX_DATA>?, _ index: Int32, _ number: Int, _ argument: UnsafeMutableRawPointer?
) {
    if let pointer { Unmanaged<TLSRecord>.fromOpaque(pointer).release() }
}

/// Called for each certificate of a chain, from the authority down, and for each error.
func verifyCertificate(_ isGood: Int32, _ store: OpaquePointer?) -> Int32 {
    guard isGood == 0, let store else { return isGood }
    let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()).map { OpaquePointer($0) }
    guard let record = TLSRecord.of(ssl), let certificate = X509_STORE_CTX_get_current_cert(store) else { return 0 }
    let code = X509_STORE_CTX_get_error(store)
    let isName = code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH
    if isName, record.trustsItself(certificate) {
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return 1
    }
    let problem = CertificateProblem(
        finding: CertificateText.finding(code, certificate), subject: CertificateText.subject(certificate),
        depth: Int(X509_STORE_CTX_get_error_depth(store)))
    record.state.withLock { $0.problem = problem }
    return 0
}

/// Called when the server asks for a client certificate, whether there is one or not.
func noteCertificateRequest(_ ssl: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    TLSRecord.of(ssl)?.state.withLock { $0.isAskedForCertificate = true }
    return 1
}

/// Called at the steps of a handshake and for alerts.
func noteHandshake(_ ssl: OpaquePointer?, _ place: Int32, _ value: Int32) {
    guard let ssl, let record = TLSRecord.of(ssl) else { return }
    if place & SSL_CB_HANDSHAKE_START != 0 {
        // Libraries set what they dial, which may be an address or the near end of a tunnel.
        twinspan_ssl_set_server_name(ssl, record.indicatedName)
    } else if place & SSL_CB_READ_ALERT == SSL_CB_READ_ALERT, value >> 8 == SSL3_AL_FATAL {
        let text = SSL_alert_desc_string_long(value).map { String(cString: $0) } ?? "alert \(value & 0xFF)"
        record.state.withLock { $0.alert = TLSAlert(code: Int(value & 0xFF), text: text) }
    }
}
