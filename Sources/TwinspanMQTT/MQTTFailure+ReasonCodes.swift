// What the reason codes of MQTT 5 (§2.4) mean and which reaction they call for, by the packet that brings them. The
// reason words are those of MQTT 3.1.1 where they mean the same.
import TwinspanConnections

extension MQTTFailure {
    /// The broker's CONNACK refused us with a reason code of MQTT 5.
    static func refusal(
        reasonCode code: Int, words: String?, otherServer: String?, clientID: String, user: String?
    ) -> BrokerFailure {
        let said = words.map { " (\($0))" } ?? ""
        func failure(
            _ reaction: BrokerFailure.Reaction, _ reason: String, _ message: String, _ hint: String
        ) -> BrokerFailure {
            BrokerFailure(
                step: .authenticate, reaction: reaction, reason: reason, message: message + said + ".", hint: hint)
        }
        switch code {
        case 132:
            return failure(
                .misconfigured, "protocol-version", "The broker does not speak MQTT 5",
                "set 'connectionType: mqtt', which is MQTT 3.1.1")
        case 133:
            return failure(
                .misconfigured, "id-rejected", "The broker does not accept the client id '\(clientID)'",
                "set specificConfig.clientId to an id the broker allows")
        case 134:
            return failure(
                .misconfigured, "bad-credentials", "The broker refused the user name or password",
                "check user and password in 'uri'")
        case 135, 138:
            guard let user else {
                return failure(
                    .misconfigured, "not-authorised", "The broker does not let clients in without a user",
                    "put user and password into 'uri'")
            }
            return failure(
                .misconfigured, "not-authorised", "The broker does not let the user '\(user)' in",
                "check user and password in 'uri', and whether the broker allows this client id")
        case 140:
            return failure(
                .misconfigured, "not-authorised", "The broker wants another method of authentication",
                "let the broker accept user and password, or a client certificate")
        case 144, 149, 153, 154, 155:
            return failure(
                .misconfigured, "last-will-refused", "The broker does not take the last will: \(phrase(code))",
                "check the lastWill settings in specificConfig")
        case 156, 157: return moved(to: otherServer, at: .authenticate)
        case 136:
            return failure(
                .backOff, "server-unavailable", "The broker says that it is not available", "look into its log")
        default:
            return failure(
                .backOff, "connect-refused", "The broker refused CONNECT: \(phrase(code))", "look into the broker's log"
            )
        }
    }

    /// The broker ended the connection with DISCONNECT during `step`.
    static func disconnected(code: Int, step: SessionStep, clientID: String) -> BrokerFailure {
        func failure(_ reaction: BrokerFailure.Reaction, _ reason: String, _ hint: String) -> BrokerFailure {
            BrokerFailure(
                step: step, reaction: reaction, reason: reason,
                message: "The broker ended the connection: \(phrase(code)).", hint: hint)
        }
        switch code {
        case 139: return failure(.retryNow, "connection-lost", "see whether the broker is being restarted")
        case 141: return failure(.retryNow, "keep-alive", "check the network to the broker")
        case 142:
            return BrokerFailure(
                step: step, reaction: .backOff, reason: "taken-over",
                message: "Another client has connected with the id '\(clientID)' and taken the session over.",
                hint: "give every client an id of its own (specificConfig.clientId)")
        case 135, 138: return failure(.misconfigured, "not-authorised", "check the broker's access rules for this user")
        case 147: return failure(.misconfigured, "receive-maximum", "please report this")
        case 149:
            return failure(.misconfigured, "too-large", "let the broker take larger packets, or send smaller ones")
        case 156, 157: return moved(to: nil, at: step)
        case 129, 130: return failure(.backOff, "protocol", "look into the broker's log")
        default: return failure(.backOff, "disconnected", "look into the broker's log")
        }
    }

    /// The broker sends us elsewhere. That is a decision of the operator's, so nobody is followed blindly.
    private static func moved(to server: String?, at step: SessionStep) -> BrokerFailure {
        BrokerFailure(
            step: step, reaction: .misconfigured, reason: "server-moved",
            message: "The broker sends its clients to another server" + (server.map { ": '\($0)'." } ?? "."),
            hint: server.map { "put '\($0)' into 'uri'" } ?? "ask the broker's operator for its new address")
    }

    /// What becomes of a message whose PUBACK or PUBREC brought this code.
    enum PublishAnswer: Equatable {
        case taken
        /// It may go well another time.
        case later
        case refused(PublishRefusal)
    }

    /// Judges a reason code of PUBACK and PUBREC. That nobody has subscribed (16) is no failure.
    static func publishAnswer(_ code: Int) -> PublishAnswer {
        guard code >= 128 else { return .taken }
        let reason: String
        switch code {
        case 135: reason = "not-authorised"
        case 144: reason = "invalid-topic"
        case 149: reason = "too-large"
        case 153: reason = "payload-format"
        default: return .later
        }
        return .refused(PublishRefusal(reason: reason, detail: "The broker refused it: \(phrase(code)).", status: 503))
    }

    /// A message the broker would not take, however often it was tried.
    static func notTaken(code: Int, attempts: Int) -> PublishRefusal {
        PublishRefusal(
            reason: "not-taken", detail: "The broker refused it \(attempts) times: \(phrase(code)).", status: 503)
    }

    /// What a reason code says, a phrase for the middle of a sentence.
    static func phrase(_ code: Int) -> String {
        let words = [
            128: "it gives no reason", 129: "a malformed packet", 130: "a breach of the protocol",
            131: "a reason of its own", 132: "it does not speak this version", 133: "the client id is not valid",
            134: "user name or password are wrong", 135: "not authorised", 136: "it is not available",
            137: "it is busy", 138: "this client is banned", 139: "it is shutting down",
            140: "another method of authentication is needed", 141: "no packet came within the keep-alive",
            142: "the session was taken over", 143: "the topic filter is not valid", 144: "the topic is not valid",
            145: "the packet id is in use", 147: "too many unconfirmed messages", 149: "the packet is too large",
            150: "too many messages in a short time", 151: "a quota is exceeded", 152: "an operator ended it",
            153: "the payload is not of the announced format", 154: "it keeps no retained messages",
            155: "it does not support this QoS", 156: "another server is to be used", 157: "the server has moved",
            158: "it has no shared subscriptions", 159: "too many connections in a short time",
            160: "the longest time for a connection is over", 161: "it has no subscription ids",
            162: "it has no wildcard subscriptions",
        ]
        return words[code].map { "\($0) (code \(code))" } ?? "code \(code)"
    }
}
