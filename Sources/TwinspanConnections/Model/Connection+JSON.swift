// A connection as the API gives it back (spec/connectivity.md §1.1): the fields and their order are Ditto's. Secrets
// stand there in clear, as Ditto has it; who may ask is decided elsewhere.
import TwinspanExpressions
public import TwinspanJSON
import TwinspanProtocol

/// Who reads the JSON of a connection.
public enum ConnectionJSONForm: Sendable {
    /// A user: parameters of topics stand decoded, which is Ditto's canonical form and cannot always be read again.
    case shown
    /// We: reading gives the same connection.
    case stored
}

extension Connection {
    /// The connection as JSON. What was made up on reading is visible, texts with placeholders are as written.
    public func json(_ form: ConnectionJSONForm = .shown) -> JSONObject {
        var json = JSONObject()
        json["id"] = .string(id.text)
        if let name { json["name"] = .string(name) }
        json["connectionType"] = .string(type.rawValue)
        json["connectionStatus"] = .string(status.rawValue)
        json["uri"] = .string(uri.text)
        json["sources"] = .array(sources.map { .object($0.json) })
        json["targets"] = .array(targets.map { .object($0.json(form)) })
        json["clientCount"] = .number(JSONNumber(clientCount))
        json["failoverEnabled"] = .bool(isFailoverEnabled)
        json["validateCertificates"] = .bool(validatesCertificates)
        json["processorPoolSize"] = .number(JSONNumber(processorPoolSize))
        if !specificConfig.isEmpty {
            json["specificConfig"] = .object(
                JSONObject(specificConfig.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
        }
        if !mappingDefinitions.isEmpty {
            json["mappingDefinitions"] = .object(
                JSONObject(mappingDefinitions.sorted { $0.key < $1.key }.map { ($0.key, .object($0.value.json)) }))
        }
        if let credentials { json["credentials"] = .object(credentials) }
        if let trustedCertificates { json["ca"] = .string(trustedCertificates) }
        if let sshTunnel { json["sshTunnel"] = .object(sshTunnel) }
        json["tags"] = .array(tags.map { .string($0) })
        if let ours = extensionJSON { json["twinspan"] = .object(ours) }
        return json
    }

    /// What is ours in the connection; nil when all of it is as by default.
    private var extensionJSON: JSONObject? {
        var ours = JSONObject()
        if !isRequired { ours["required"] = false }
        if tls.minimumVersion != .tls12 { ours["tlsMinimumVersion"] = .string(tls.minimumVersion.rawValue) }
        if let ciphers = tls.ciphers { ours["tlsCiphers"] = .string(ciphers) }
        return ours.isEmpty ? nil : ours
    }
}

extension ConnectionURI {
    /// The whole URI with user and password, percent-encoded: as it was written unless it was changed.
    public var text: String {
        if scheme.isEmpty && host.isEmpty { return "" }
        // What was written counts only while it still means this.
        if let written = written?.exposed, let same = try? ConnectionURI.parse(written), same == self { return written }
        var text = "\(scheme)://"
        if user != nil || password != nil {
            let login = [user ?? "", password?.exposed ?? ""]
            text += login.map(PercentEncoding.encode).joined(separator: ":") + "@"
        }
        text += host.contains(":") ? "[\(host)]" : host
        return text + ":\(port)\(path)"
    }
}

extension Source {
    var json: JSONObject {
        var json = JSONObject()
        json["addresses"] = .array(addresses.map { .string($0) })
        json["consumerCount"] = .number(JSONNumber(consumerCount))
        if let qos { json["qos"] = .number(JSONNumber(qos)) }
        json["authorizationContext"] = .array(authorizationContext.map { .string($0.text) })
        if let enforcement {
            json["enforcement"] = [
                "input": .string(enforcement.input.text),
                "filters": .array(enforcement.filters.map { .string($0.text) }),
            ]
        }
        if let requests = acknowledgementRequests {
            let labels = requests.writtenIncludes.isEmpty ? requests.includes.map(\.text) : requests.writtenIncludes
            var part: JSONObject = ["includes": .array(labels.map { .string($0) })]
            if let filter = requests.filter { part["filter"] = .string(filter.text) }
            json["acknowledgementRequests"] = .object(part)
        }
        if !declaredAcks.isEmpty {
            let labels = writtenDeclaredAcks.isEmpty ? declaredAcks.map(\.text) : writtenDeclaredAcks
            json["declaredAcks"] = .array(labels.map { .string($0) })
        }
        json["headerMapping"] = HeaderMapping.json(headerMapping)
        json["payloadMapping"] = .array(payloadMapping.map { .string($0) })
        json["replyTarget"] = .object(replyTarget?.json ?? ["enabled": false])
        return json
    }
}

extension ReplyTarget {
    var json: JSONObject {
        let kinds = ResponseType.allCases.filter(expectedResponseTypes.contains)
        return [
            "address": .string(address.text), "headerMapping": HeaderMapping.json(headerMapping),
            "expectedResponseTypes": .array(kinds.map { .string($0.rawValue) }), "enabled": .bool(isEnabled),
        ]
    }
}

extension HeaderMapping {
    static func json(_ mappings: [HeaderMapping]) -> JSONValue {
        .object(JSONObject(mappings.map { ($0.writtenName, .string($0.template.text)) }))
    }
}

extension Target {
    func json(_ form: ConnectionJSONForm) -> JSONObject {
        var json = JSONObject()
        json["address"] = .string(address.text)
        json["topics"] = .array(topics.map { .string($0.text(form)) })
        if let qos { json["qos"] = .number(JSONNumber(qos)) }
        json["authorizationContext"] = .array(authorizationContext.map { .string($0) })
        json["headerMapping"] = HeaderMapping.json(headerMapping)
        if let label = writtenIssuedLabel ?? issuedAcknowledgementLabel?.text {
            json["issuedAcknowledgementLabel"] = .string(label)
        }
        json["payloadMapping"] = .array(payloadMapping.map { .string($0) })
        var ours = JSONObject()
        if let name { ours["name"] = .string(name) }
        if delivery != .ordinary { ours["delivery"] = .string(delivery.rawValue) }
        if let queueLimit { ours["queue"] = .number(JSONNumber(queueLimit)) }
        if let rateLimit { ours["rate"] = .number(JSONNumber(rateLimit)) }
        if !ours.isEmpty { json["twinspan"] = .object(ours) }
        return json
    }
}

extension TargetTopic {
    /// The topic with its parameters in Ditto's order.
    public func text(_ form: ConnectionJSONForm) -> String {
        let parameters = [
            ("namespaces", namespaces.isEmpty ? nil : namespaces.joined(separator: ",")), ("filter", filter?.text),
            ("extraFields", extraFields?.text),
        ]
        let pairs = parameters.compactMap { name, value -> String? in
            guard let value else { return nil }
            return "\(name)=\(form == .shown ? value : PercentEncoding.encodeParameter(value))"
        }
        return pairs.isEmpty ? kind.rawValue : "\(kind.rawValue)?\(pairs.joined(separator: "&"))"
    }
}

extension MappingDefinition {
    var json: JSONObject {
        var json: JSONObject = ["mappingEngine": .string(engine), "options": .object(options)]
        let parts = [("incomingConditions", incomingConditions), ("outgoingConditions", outgoingConditions)]
        for (name, conditions) in parts where !conditions.isEmpty {
            json[name] = .object(JSONObject(conditions.map { ($0.name, .string($0.expression.text)) }))
        }
        return json
    }
}

extension PercentEncoding {
    /// The text for the user information of a URI: everything but unreserved characters is encoded.
    static func encode(_ text: String) -> String {
        encode(text) { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                true
            default: false
            }
        }
    }

    /// The text for the value of a topic's parameter: only what would be read otherwise is encoded.
    static func encodeParameter(_ text: String) -> String {
        encode(text) { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "&") }
    }

    private static func encode(_ text: String, _ isKept: (UInt8) -> Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isKept(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
