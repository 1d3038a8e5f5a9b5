// Secrets of connections that are stored: encrypted with AES-256-GCM, each by itself, so that everything else of a
// definition stays readable (spec/connectivity.md §9.3).
public import TwinspanJSON
public import TwinspanProtocol

/// Encrypts and decrypts the secrets in definitions.
public struct SecretsAtRest: Sendable {
    /// Names of the environment variables that hold the keys.
    public static let keyVariable = "TWINSPAN_ENCRYPTION_KEY"
    public static let oldKeyVariable = "TWINSPAN_ENCRYPTION_KEY_OLD"
    /// Begins every encrypted value.
    static let prefix = "encrypted_"

    private let cipher: AESCipher
    private let oldCipher: AESCipher?

    /// Takes the keys, each as URL-safe Base64 of 32 bytes. Throws what is wrong with them, or with the system's
    /// cryptography.
    public init(key: String, oldKey: String? = nil) throws(SecretsFailure) {
        cipher = try AESCipher(key: Self.bytes(of: key, named: Self.keyVariable))
        var old: AESCipher?
        if let oldKey { old = try AESCipher(key: Self.bytes(of: oldKey, named: Self.oldKeyVariable)) }
        oldCipher = old
    }

    private static func bytes(of key: String, named name: String) throws(SecretsFailure) -> [UInt8] {
        let plain = String(key.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        guard let bytes = Base64.decode(plain), bytes.count == AESCipher.keyLength else {
            throw SecretsFailure(
                description: "\(name) is not a key",
                hint: "give URL-safe Base64 of 32 bytes: openssl rand -base64 32 | tr '+/' '-_'")
        }
        return bytes
    }

    /// The document with its secrets encrypted. Throws `connectivity:internalerror` when one cannot be:
    /// it is not stored in clear then.
    public func encrypted(_ document: JSONObject) throws(TwinspanError) -> JSONObject {
        var isDone = true
        let result = changed(document) { text in
            guard let sealed = cipher.seal(Array(text.utf8)) else {
                isDone = false
                return text
            }
            return Self.prefix + Base64.encode(sealed)
        }
        guard isDone else {
            throw ConnectivityErrorTable.internalError.error(
                "The secrets of the connection could not be encrypted; it was not stored.",
                description: "The system's OpenSSL refuses AES-256-GCM: check its configuration, or unset "
                    + "\(Self.keyVariable).")
        }
        return result
    }

    /// The document with its secrets readable; plain ones stay as they are. Throws
    /// `connectivity:connection.configuration.invalid` for one that neither key opens.
    public func decrypted(_ document: JSONObject) throws(TwinspanError) -> JSONObject {
        var isReadable = true
        let result = changed(document) { text in
            guard text.hasPrefix(Self.prefix) else { return text }
            guard let sealed = Base64.decode(String(text.dropFirst(Self.prefix.count))),
                let plain = cipher.open(sealed) ?? oldCipher?.open(sealed),
                let plainText = String(validating: plain, as: UTF8.self)
            else {
                isReadable = false
                return text
            }
            return plainText
        }
        guard isReadable else { throw Self.unreadable }
        return result
    }

    /// Whether a document holds encrypted secrets.
    public static func areEncrypted(in document: JSONObject) -> Bool {
        var found = false
        _ = changed(document) { text in
            if text.hasPrefix(prefix) { found = true }
            return text
        }
        return found
    }

    /// Whether a document holds secrets, encrypted or not.
    public static func hasSecrets(in document: JSONObject) -> Bool {
        var found = false
        _ = changed(document) { text in
            if !text.isEmpty { found = true }
            return text
        }
        return found
    }

    /// What a connection with secrets that no key opens is refused with.
    public static var unreadable: TwinspanError {
        ConnectivityErrorTable.configurationInvalid.error(
            "The stored secrets of the connection cannot be decrypted.",
            description: "Start with the key they were encrypted with in \(keyVariable) or \(oldKeyVariable), or "
                + "write the connection anew.")
    }

    private func changed(_ document: JSONObject, _ change: (String) -> String) -> JSONObject {
        Self.changed(document, change)
    }

    /// What is encrypted of the URI is its password as it stands there, percent-encoded; the result is percent-encoded
    /// too, because Base64 has a slash.
    private static func changed(_ document: JSONObject, _ change: (String) -> String) -> JSONObject {
        ConnectionSecrets.transformed(document) { pointer, text in
            guard pointer == ConnectionSecrets.uri else { return change(text) }
            let stands = text.hasPrefix(prefix) ? decodedEscapes(text) : text
            let new = change(stands)
            if new == stands { return text }
            return new.hasPrefix(prefix) ? escaped(new) : new
        }
    }

    private static let escapes: [(plain: Character, code: String)] = [("+", "%2B"), ("/", "%2F"), ("=", "%3D")]

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            result += escapes.first { $0.plain == character }?.code ?? String(character)
        }
    }

    private static func decodedEscapes(_ text: String) -> String {
        escapes.reduce(text) { $0.replacing($1.code, with: String($1.plain)) }
    }
}

/// Why secrets cannot be encrypted.
public struct SecretsFailure: Error, Sendable, Equatable {
    /// What is wrong, without a full stop.
    public let description: String
    /// What to do about it.
    public let hint: String
}
