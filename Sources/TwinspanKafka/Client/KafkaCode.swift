// The library's error numbers: those of the protocol (0 and above) and its own (below -100).
import CRdKafka

/// A code of librdkafka. Unknown codes are kept, named and counted like any other.
struct KafkaCode: RawRepresentable, Hashable, Sendable {
    let rawValue: Int32
    init(rawValue: Int32) { self.rawValue = rawValue }
    init(_ code: rd_kafka_resp_err_t) { rawValue = code.rawValue }

    /// The library's name, e.g. `_TRANSPORT`.
    var name: String { String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue: rawValue))) }
    /// The library's words.
    var phrase: String { String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue: rawValue))) }

    static let success = KafkaCode(RD_KAFKA_RESP_ERR_NO_ERROR)
    static let transport = KafkaCode(RD_KAFKA_RESP_ERR__TRANSPORT)
    static let allBrokersDown = KafkaCode(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    static let resolve = KafkaCode(RD_KAFKA_RESP_ERR__RESOLVE)
    static let authentication = KafkaCode(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    static let saslAuthenticationFailed = KafkaCode(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
    static let unsupportedMechanism = KafkaCode(RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM)
    static let ssl = KafkaCode(RD_KAFKA_RESP_ERR__SSL)
    static let timedOut = KafkaCode(RD_KAFKA_RESP_ERR__TIMED_OUT)
    static let queueFull = KafkaCode(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    static let messageTimedOut = KafkaCode(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    static let purgedInQueue = KafkaCode(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    static let purgedInFlight = KafkaCode(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    static let fatal = KafkaCode(RD_KAFKA_RESP_ERR__FATAL)
    static let fenced = KafkaCode(RD_KAFKA_RESP_ERR__FENCED)
    static let outOfOrder = KafkaCode(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
    static let invalidEpoch = KafkaCode(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
    static let noOffset = KafkaCode(RD_KAFKA_RESP_ERR__NO_OFFSET)
    static let state = KafkaCode(RD_KAFKA_RESP_ERR__STATE)
    static let partitionEnd = KafkaCode(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    static let offsetReset = KafkaCode(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    static let pollExceeded = KafkaCode(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
    static let unknownTopic = KafkaCode(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    static let unknownPartition = KafkaCode(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    static let unknownTopicOrPartition = KafkaCode(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    static let invalidTopic = KafkaCode(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
    static let topicDenied = KafkaCode(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    static let groupDenied = KafkaCode(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    static let clusterDenied = KafkaCode(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
    static let tooLarge = KafkaCode(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    static let batchTooLarge = KafkaCode(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
    static let invalidMessage = KafkaCode(RD_KAFKA_RESP_ERR_INVALID_MSG)
    static let invalidRecord = KafkaCode(RD_KAFKA_RESP_ERR_INVALID_RECORD)
    static let invalidArgument = KafkaCode(RD_KAFKA_RESP_ERR__INVALID_ARG)
    static let illegalGeneration = KafkaCode(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    static let unknownMember = KafkaCode(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    static let rebalanceInProgress = KafkaCode(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)

    /// Whether access rules are at fault, which only a person can change.
    var isDenied: Bool { self == .topicDenied || self == .groupDenied || self == .clusterDenied }
    /// Whether the topic or partition is not there.
    var isUnknownTopic: Bool {
        self == .unknownTopic || self == .unknownTopicOrPartition || self == .unknownPartition || self == .invalidTopic
    }
    /// Whether the login was refused.
    var isLogin: Bool {
        self == .authentication || self == .saslAuthenticationFailed || self == .unsupportedMechanism
    }
    /// Whether an idempotent producer is of no more use.
    var isFatal: Bool { self == .fatal || self == .fenced || self == .outOfOrder || self == .invalidEpoch }
    /// Whether a commit came too late, because the group has moved on; the library joins again by itself.
    var isLateCommit: Bool {
        self == .illegalGeneration || self == .unknownMember || self == .rebalanceInProgress || self == .state
    }
}
