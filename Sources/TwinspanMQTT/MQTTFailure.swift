// What an end of a connection means and which reaction it calls for: one table for everything libmosquitto and the
// broker can say. The reason words are stable; metrics and status are built on them.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Classifies failures of MQTT sessions.
enum MQTTFailure {
    /// The library's connect failed although an address had answered a moment before.
    static func connect(_ code: MosquittoCode, peer: String, text: String?, errorNumber: Int32) -> BrokerFailure {
        switch code {
        case .systemError: return NetworkFailure.unreachable(peer: peer, errorNumber: errorNumber)
        case .nameResolution:
            return BrokerFailure(
                step: .resolve, reaction: .backOff, reason: "unresolved",
                message: "The host of \(peer) could not be resolved.", hint: "check the host in 'uri'")
        case .tls, .tlsHandshake: return NetworkFailure.tls(peer: peer, text: text)
        case .outOfMemory, .notSupported: return library(code, step: .connect, text: text)
        case .invalid:
            return BrokerFailure(
                step: .connect, reaction: .misconfigured, reason: "invalid-setting",
                message: "The library refuses the connection's settings" + quoted(text) + ".",
                hint: "check host, port, keepAlive and certificates")
        default: return lost(code, step: .connect, text: text)
        }
    }

    /// The broker's CONNACK refused us with a code of MQTT 3.1.1 (§3.2.2.3).
    static func refusal(code: Int, clientID: String, user: String?) -> BrokerFailure {
        func failure(
            _ reaction: BrokerFailure.Reaction, _ reason: String, _ message: String, _ hint: String
        ) -> BrokerFailure {
            BrokerFailure(step: .authenticate, reaction: reaction, reason: reason, message: message, hint: hint)
        }
        switch code {
        case 1:
            return failure(
                .misconfigured, "protocol-version", "The broker does not speak MQTT 3.1.1.",
                "check the connection's type and the broker's listener")
        case 2:
            return failure(
                .misconfigured, "id-rejected", "The broker does not accept the client id '\(clientID)'.",
                "set specificConfig.clientId to an id the broker allows")
        case 3:
            return failure(
                .backOff, "server-unavailable", "The broker says that it is not available.", "look into its log")
        case 4:
            return failure(
                .misconfigured, "bad-credentials", "The broker refused the user name or password.",
                "check user and password in 'uri'")
        case 5 where user != nil:
            return failure(
                .misconfigured, "not-authorised", "The broker does not let the user '\(user ?? "")' in.",
                "check user and password in 'uri', and whether the broker allows this client id")
        case 5:
            return failure(
                .misconfigured, "not-authorised", "The broker does not let clients in without a user.",
                "put user and password into 'uri'")
        default:
            return failure(
                .backOff, "connect-refused", "The broker refused CONNECT with the unknown code \(code).",
                "look into its log")
        }
    }

    /// A filter of a source was refused by the broker (codes of SUBACK from 128), or by the library.
    static func subscription(
        filter: String, code: Int, source: Int, version: MQTTFields.Version = .v311
    ) -> BrokerFailure {
        guard code >= 128 else {
            return BrokerFailure(
                step: .subscribe, reaction: .misconfigured, reason: "subscription-refused",
                message: "The subscription '\(filter)' of source \(source + 1) is not valid (code \(code)).",
                hint: "write '#' only as the last level, and '+' only as a whole level", sourceIndex: source)
        }
        // With MQTT 5 the broker says why. A quota may have room, and a packet id be free, another time.
        let mayPass = version == .v5 && (code == 151 || code == 145)
        let why = version == .v5 ? ": \(phrase(code))" : " (code \(code))"
        let hint =
            version == .v5 && [143, 158, 161, 162].contains(code)
            ? "subscribe to what this broker supports" : "check the broker's access rules for this user"
        return BrokerFailure(
            step: .subscribe, reaction: mayPass ? .backOff : .misconfigured, reason: "subscription-refused",
            message: "The broker refused the subscription '\(filter)' of source \(source + 1)\(why).", hint: hint,
            sourceIndex: source)
    }

    /// The connection ended during `step`.
    static func lost(_ code: MosquittoCode, step: SessionStep, text: String?) -> BrokerFailure {
        switch code {
        case .keepAlive:
            return BrokerFailure(
                step: step, reaction: .retryNow, reason: "keep-alive",
                message: "The broker did not answer within the keep-alive.", hint: "check the network to the broker")
        case .connectionLost, .systemError, .notConnected, .success:
            return BrokerFailure(
                step: step, reaction: .retryNow, reason: "connection-lost",
                message: "The broker closed the connection, or it was lost" + quoted(text) + ".",
                hint: "if it happens again, look into the broker's log")
        case .tls, .tlsHandshake:
            return BrokerFailure(
                step: step, reaction: .backOff, reason: "tls", message: "The TLS connection broke" + quoted(text) + ".",
                hint: "look into the broker's log")
        case .protocolError, .malformedPacket, .malformedUTF8, .payloadSize, .connectionRefused:
            return BrokerFailure(
                step: step, reaction: .backOff, reason: "protocol",
                message: "The connection was closed because \(code.phrase)" + quoted(text) + ".",
                hint: "check that an MQTT broker listens there")
        default: return library(code, step: step, text: text)
        }
    }

    /// The library cannot go on. Our fault or lack of memory keeps the connection down; of a code we do not know,
    /// nothing better can be assumed than that trying again may help.
    static func library(_ code: MosquittoCode, step: SessionStep, text: String?) -> BrokerFailure {
        let isFatal = code == .outOfMemory || code == .invalid || code == .notSupported
        return BrokerFailure(
            step: step, reaction: isFatal ? .fatal : .backOff, reason: "library",
            message: "libmosquitto cannot go on: \(code.phrase)" + quoted(text) + ".",
            hint: code == .outOfMemory ? "give the process more memory" : "please report this")
    }

    /// The library did not take one of the connection's settings.
    static func setting(_ refusal: MosquittoRefusal, text: String?) -> BrokerFailure {
        if refusal.code == .outOfMemory { return library(refusal.code, step: .connect, text: text) }
        return BrokerFailure(
            step: .connect, reaction: .misconfigured, reason: "invalid-setting",
            message: "The library does not take the \(refusal.option): \(refusal.code.phrase)" + quoted(text) + ".",
            hint: "check \(refusal.option)")
    }

    /// Two unconfirmed messages were given one packet id: the connection's state cannot be trusted.
    static let packetIDReused = BrokerFailure(
        step: .serve, reaction: .retryNow, reason: "packet-id-reused",
        message: "The library numbered two unconfirmed messages alike; the connection is made anew.")

    /// Connections of this client id end again and again right after they were made.
    static func takenOver(clientID: String, times: Int) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "taken-over",
            message: "The broker ended the last \(times) connections right after CONNECT: is another client using "
                + "the id '\(clientID)'?",
            hint: "give every client an id of its own (specificConfig.clientId)")
    }

    /// A source asked for QoS 2 and reads with QoS 1.
    static func downgraded(source: Int) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: .retryNow, reason: "qos-2",
            message: "Source \(source + 1) asks for QoS 2 and is subscribed with QoS 1, which a crash cannot lose.",
            hint: "say 'qos: 1'", sourceIndex: source)
    }

    /// The session still holds subscriptions that no source has.
    static func unmatched(topic: String) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "unmatched-topic",
            message: "Messages to '\(topic)' match no source and are discarded.",
            hint: "the broker's session remembers subscriptions of an earlier configuration; change clientId, or "
                + "connect once with cleanSession")
    }

    private static func quoted(_ text: String?) -> String { text.map { " (\($0))" } ?? "" }
}

/// Recognises that another client uses our id. MQTT 3.1.1 does not say so: the broker only ends our connection, soon
/// after each CONNACK.
struct TakeoverWatch {
    /// A connection that ends sooner than this after its CONNACK is suspicious.
    static let suspiciousAge: Duration = .seconds(5)
    /// So many suspicious ends in a row make a takeover.
    static let threshold = 3

    private(set) var suspiciousEnds = 0

    /// Notes the end of a connection and returns the failure to report in its place.
    mutating func note(_ failure: BrokerFailure, age: Duration?, clientID: String) -> BrokerFailure {
        guard let age, failure.reason == "connection-lost", age < TakeoverWatch.suspiciousAge else {
            // An attempt that never got a CONNACK says nothing about other clients.
            if age != nil { suspiciousEnds = 0 }
            return failure
        }
        suspiciousEnds += 1
        guard suspiciousEnds >= TakeoverWatch.threshold else { return failure }
        return MQTTFailure.takenOver(clientID: clientID, times: suspiciousEnds)
    }
}
