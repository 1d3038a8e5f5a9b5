// Says what is wrong with a server's certificate. libmosquitto only tells that the handshake has failed, so after such
// a failure the probe shakes hands once more, without verifying, and looks at the certificate itself. As for
// `OpenSSLCalls`, the functions are those of the copy that libmosquitto has loaded.
import Glibc

/// One look at a server's certificate.
public struct TLSInspection {
    /// What is wrong.
    public enum Finding: Equatable, Sendable {
        /// Nobody we trust has signed it.
        case untrusted(detail: String)
        case expired(since: String)
        case notYetValid(until: String)
        /// The names it is for.
        case otherName([String])
    }

    private typealias Pointer = UnsafeMutableRawPointer
    private typealias Text = UnsafePointer<CChar>

    public let host: String
    public let address: HostAddress
    /// PEM bundle; nil means the certificates of the system.
    public let trustedCertificates: String?
    /// For each of the socket's calls.
    public let patience: Duration

    public init(host: String, address: HostAddress, trustedCertificates: String?, patience: Duration) {
        self.host = host
        self.address = address
        self.trustedCertificates = trustedCertificates
        self.patience = patience
    }

    /// Blocks for some network round trips. Nil when nothing is wrong, or nothing could be found out.
    public func run() -> Finding? {
        guard let socket = connectedSocket() else { return nil }
        defer { close(socket) }
        guard let make = Self.function("SSL_CTX_new", as: (@convention(c) (Pointer?) -> Pointer?).self),
            let method = Self.function("TLS_client_method", as: (@convention(c) () -> Pointer?).self),
            let context = make(method())
        else { return nil }
        defer { Self.free("SSL_CTX_free", context) }
        guard trust(context),
            let start = Self.function("SSL_new", as: (@convention(c) (Pointer) -> Pointer?).self),
            let ssl = start(context)
        else { return nil }
        defer { Self.free("SSL_free", ssl) }
        guard shakeHands(ssl, socket) else { return nil }
        let getter = ["SSL_get1_peer_certificate", "SSL_get_peer_certificate"].lazy.compactMap {
            Self.function($0, as: (@convention(c) (Pointer) -> Pointer?).self)
        }.first
        guard let certificate = getter?(ssl) else { return nil }
        defer { Self.free("X509_free", certificate) }
        let verify = Self.function("SSL_get_verify_result", as: (@convention(c) (Pointer) -> Int).self)
        switch verify?(ssl) ?? 0 {
        case 0: return isForHost(certificate) ? nil : .otherName(names(certificate))
        // X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
        case 9: return .notYetValid(until: time("X509_get0_notBefore", certificate))
        case 10: return .expired(since: time("X509_get0_notAfter", certificate))
        case let code: return .untrusted(detail: Self.words(code))
        }
    }

    private func connectedSocket() -> Int32? {
        address.socketAddress.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            let target = start.assumingMemoryBound(to: sockaddr.self)
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            let descriptor = socket(Int32(target.pointee.sa_family), kind, 0)
            guard descriptor >= 0 else { return nil }
            var limit = timeval()
            limit.tv_sec = max(1, Int(patience.components.seconds))
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            if connect(descriptor, target, socklen_t(bytes.count)) == 0 { return descriptor }
            close(descriptor)
            return nil
        }
    }

    private func trust(_ context: Pointer) -> Bool {
        typealias Load = @convention(c) (Pointer, Text?, Text?) -> Int32
        guard let load = Self.function("SSL_CTX_load_verify_locations", as: Load.self) else { return false }
        guard let trustedCertificates else { return load(context, nil, "/etc/ssl/certs") == 1 }
        let descriptor = unlinkedFile(with: trustedCertificates)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return load(context, "/proc/self/fd/\(descriptor)", nil) == 1
    }

    private func shakeHands(_ ssl: Pointer, _ socket: Int32) -> Bool {
        guard let set = Self.function("SSL_set_fd", as: (@convention(c) (Pointer, Int32) -> Int32).self),
            let connect = Self.function("SSL_connect", as: (@convention(c) (Pointer) -> Int32).self),
            let control = Self.function(
                "SSL_ctrl", as: (@convention(c) (Pointer, Int32, Int, UnsafeMutableRawPointer?) -> Int).self)
        else { return false }
        guard set(ssl, socket) == 1 else { return false }
        // SSL_CTRL_SET_TLSEXT_HOSTNAME with TLSEXT_NAMETYPE_host_name, which the library copies.
        var name = Array(host.utf8CString)
        _ = name.withUnsafeMutableBytes { control(ssl, 55, 0, $0.baseAddress) }
        return connect(ssl) == 1
    }

    // MARK: The certificate

    private func isForHost(_ certificate: Pointer) -> Bool {
        typealias CheckName = @convention(c) (Pointer, Text, Int, UInt32, UnsafeMutableRawPointer?) -> Int32
        typealias CheckAddress = @convention(c) (Pointer, Text, UInt32) -> Int32
        let name = Self.function("X509_check_host", as: CheckName.self)
        let address = Self.function("X509_check_ip_asc", as: CheckAddress.self)
        return name?(certificate, host, 0, 0, nil) == 1 || address?(certificate, host, 0) == 1
    }

    /// The names and addresses it is for: those of the extension, else the common name.
    private func names(_ certificate: Pointer) -> [String] {
        typealias Find = @convention(c) (Pointer, Int32, Int32) -> Int32
        typealias Get = @convention(c) (Pointer, Int32) -> Pointer?
        typealias Print = @convention(c) (Pointer, Pointer, UInt, Int32) -> Int32
        // NID_subject_alt_name
        if let find = Self.function("X509_get_ext_by_NID", as: Find.self), case let index = find(certificate, 85, -1),
            index >= 0, let get = Self.function("X509_get_ext", as: Get.self), let found = get(certificate, index),
            let write = Self.function("X509V3_EXT_print", as: Print.self)
        {
            let text = Self.printed { write($0, found, 0, 0) }
            let names = text.split(separator: ",").compactMap { entry -> String? in
                let parts = entry.split(separator: ":", maxSplits: 1)
                return parts.count == 2 ? String(parts[1]) : nil
            }
            if !names.isEmpty { return names }
        }
        typealias Subject = @convention(c) (Pointer) -> Pointer?
        typealias ReadName = @convention(c) (Pointer, Int32, UnsafeMutablePointer<CChar>, Int32) -> Int32
        guard let subject = Self.function("X509_get_subject_name", as: Subject.self)?(certificate),
            let read = Self.function("X509_NAME_get_text_by_NID", as: ReadName.self)
        else { return [] }
        var buffer = [CChar](repeating: 0, count: 256)
        // NID_commonName
        guard read(subject, 13, &buffer, Int32(buffer.count)) > 0 else { return [] }
        return [Self.text(buffer)]
    }

    private func time(_ getter: String, _ certificate: Pointer) -> String {
        typealias Get = @convention(c) (Pointer) -> Pointer?
        typealias Print = @convention(c) (Pointer, Pointer) -> Int32
        guard let time = Self.function(getter, as: Get.self)?(certificate),
            let write = Self.function("ASN1_TIME_print", as: Print.self)
        else { return "a time that cannot be read" }
        return Self.printed { write($0, time) }
    }

    private static func words(_ code: Int) -> String {
        let words = function("X509_verify_cert_error_string", as: (@convention(c) (Int) -> Text?).self)
        return words?(code).map { String(cString: $0) } ?? "code \(code)"
    }

    // MARK: OpenSSL

    /// What a function of OpenSSL writes.
    private static func printed(_ write: (Pointer) -> Int32) -> String {
        typealias Read = @convention(c) (Pointer, UnsafeMutableRawPointer?, Int32) -> Int32
        guard let memory = function("BIO_s_mem", as: (@convention(c) () -> Pointer?).self),
            let make = function("BIO_new", as: (@convention(c) (Pointer?) -> Pointer?).self),
            let read = function("BIO_read", as: Read.self), let stream = make(memory())
        else { return "" }
        defer { free("BIO_free", stream) }
        _ = write(stream)
        var buffer = [CChar](repeating: 0, count: 2048)
        let count = buffer.withUnsafeMutableBytes { read(stream, $0.baseAddress, Int32($0.count - 1)) }
        return count > 0 ? text(buffer) : ""
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func function<Function>(_ name: String, as type: Function.Type) -> Function? {
        dlsym(nil, name).map { unsafeBitCast($0, to: type) }
    }

    private static func free(_ name: String, _ object: Pointer) {
        function(name, as: (@convention(c) (Pointer) -> Void).self)?(object)
    }
}
