// Result codes of libmosquitto. The library's own text stops at 18 ("Unknown error." above), so the words are ours.
import CMosquitto

/// What a library call returned.
struct MosquittoCode: Equatable, Sendable {
    let rawValue: Int32

    init(rawValue: Int32) { self.rawValue = rawValue }
    private init(_ code: mosq_err_t) { rawValue = code.rawValue }

    static let success = MosquittoCode(MOSQ_ERR_SUCCESS)
    static let outOfMemory = MosquittoCode(MOSQ_ERR_NOMEM)
    static let protocolError = MosquittoCode(MOSQ_ERR_PROTOCOL)
    static let invalid = MosquittoCode(MOSQ_ERR_INVAL)
    static let notConnected = MosquittoCode(MOSQ_ERR_NO_CONN)
    static let connectionRefused = MosquittoCode(MOSQ_ERR_CONN_REFUSED)
    static let connectionLost = MosquittoCode(MOSQ_ERR_CONN_LOST)
    static let tls = MosquittoCode(MOSQ_ERR_TLS)
    static let payloadSize = MosquittoCode(MOSQ_ERR_PAYLOAD_SIZE)
    static let notSupported = MosquittoCode(MOSQ_ERR_NOT_SUPPORTED)
    static let unknown = MosquittoCode(MOSQ_ERR_UNKNOWN)
    static let systemError = MosquittoCode(MOSQ_ERR_ERRNO)
    static let nameResolution = MosquittoCode(MOSQ_ERR_EAI)
    static let malformedUTF8 = MosquittoCode(MOSQ_ERR_MALFORMED_UTF8)
    static let keepAlive = MosquittoCode(MOSQ_ERR_KEEPALIVE)
    static let malformedPacket = MosquittoCode(MOSQ_ERR_MALFORMED_PACKET)
    static let tlsHandshake = MosquittoCode(MOSQ_ERR_TLS_HANDSHAKE)
    static let qosNotSupported = MosquittoCode(MOSQ_ERR_QOS_NOT_SUPPORTED)
    static let oversizePacket = MosquittoCode(MOSQ_ERR_OVERSIZE_PACKET)

    /// What the code says, a phrase for the middle of a sentence.
    var phrase: String {
        switch self {
        case .success: "success"
        case .outOfMemory: "out of memory"
        case .protocolError: "the peer broke the MQTT protocol"
        case .invalid: "an argument is not valid"
        case .notConnected: "not connected"
        case .connectionRefused: "the broker refused the connection"
        case .connectionLost: "the connection was lost"
        case .tls: "a TLS error"
        case .payloadSize: "the payload is too large"
        case .notSupported: "not supported by this build of the library"
        case .systemError: "a system error"
        case .nameResolution: "the host name could not be resolved"
        case .malformedUTF8: "text is not valid UTF-8"
        case .keepAlive: "the broker did not answer within the keep-alive"
        case .malformedPacket: "a malformed packet"
        case .tlsHandshake: "the TLS handshake failed"
        case .qosNotSupported: "the broker does not support this QoS"
        case .oversizePacket: "the packet is larger than the broker accepts"
        default: "libmosquitto code \(rawValue)"
        }
    }
}
