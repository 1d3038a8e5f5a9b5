// Status codes of librabbitmq. The words are ours: the library's own are meant for its authors.
import CRabbitMQ

/// What a library call returned: 0, or a negative code.
struct RabbitMQStatus: Equatable, Sendable {
    let rawValue: Int32

    init(rawValue: Int32) { self.rawValue = rawValue }

    static let success = RabbitMQStatus(rawValue: 0)
    static let outOfMemory = RabbitMQStatus(rawValue: -0x0001)
    static let badData = RabbitMQStatus(rawValue: -0x0002)
    static let incompatibleVersion = RabbitMQStatus(rawValue: -0x0006)
    static let connectionClosed = RabbitMQStatus(rawValue: -0x0007)
    static let socketError = RabbitMQStatus(rawValue: -0x0009)
    static let tableTooBig = RabbitMQStatus(rawValue: -0x000B)
    /// Of reading frames no error: everything has been read.
    static let timeout = RabbitMQStatus(rawValue: -0x000D)
    static let heartbeatTimeout = RabbitMQStatus(rawValue: -0x000F)
    static let unexpectedState = RabbitMQStatus(rawValue: -0x0010)
    static let socketClosed = RabbitMQStatus(rawValue: -0x0011)
    static let unsupportedMechanism = RabbitMQStatus(rawValue: -0x0013)

    /// Whether it concerns TLS: -0x200 to -0x2FF.
    var isTLS: Bool { rawValue <= -0x0200 && rawValue > -0x0300 }

    /// A phrase for messages.
    var phrase: String {
        switch self {
        case .success: "no error"
        case .outOfMemory: "there is no memory left"
        case .badData: "the broker has sent something that is not AMQP 0.9.1"
        case .incompatibleVersion: "the broker does not speak AMQP 0.9.1"
        case .connectionClosed, .socketClosed: "the connection is closed"
        case .socketError: "the connection broke"
        case .timeout: "the broker did not answer in time"
        case .heartbeatTimeout: "the broker did not answer within two heartbeats"
        case .unsupportedMechanism: "the broker does not take user name and password (SASL PLAIN)"
        default: "librabbitmq code \(rawValue)"
        }
    }
}
