import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("Secrets at rest")
struct SecretsAtRestTests {
    private static let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    private static let other = "_-7dzLuqmYh3ZlVEMyIRAP_u3cy7qpmId2ZVRDMiEQA"

    private static let document: JSONObject = [
        "id": "c", "uri": "ssl://user:p%40ss+w%2Ford@host:8883",
        "credentials": [
            "type": "client-cert", "key": "KEY", "cert": "CERT", "clientSecret": "CS", "clientId": "me",
            "password": "PW", "parameters": ["accessKey": "AK", "secretKey": "SK", "sharedKey": "HK", "region": "eu"],
        ],
        "sshTunnel": ["uri": "ssh://host:22", "credentials": ["username": "u", "password": "TP", "privateKey": "PK"]],
    ]

    @Test("every secret is encrypted, nothing else is, and decrypting gives the document back")
    func roundTrip() throws {
        let secrets = try SecretsAtRest(key: Self.key)
        let sealed = try secrets.encrypted(Self.document)
        let text = JSONValue.object(sealed).text
        for secret in ["KEY\"", "\"CS", "\"PW", "\"AK", "\"SK", "\"HK", "\"TP", "\"PK", "p%40ss"] {
            #expect(!text.contains(secret), "\(secret)")
        }
        for plain in ["CERT", "\"me\"", "\"eu\"", "ssh://host:22", "\"u\"", "@host:8883"] {
            #expect(text.contains(plain), "\(plain)")
        }
        #expect(text.split(separator: "encrypted_").count == 10)
        #expect(try ConnectionURI.parse(sealed["uri"]?.string ?? "").host == "host")
        #expect(try secrets.decrypted(sealed) == Self.document)
        #expect(try secrets.encrypted(Self.document) != sealed, "each time with another nonce")
        #expect(SecretsAtRest.areEncrypted(in: sealed) && !SecretsAtRest.areEncrypted(in: Self.document))
        #expect(SecretsAtRest.hasSecrets(in: Self.document))
        #expect(!SecretsAtRest.hasSecrets(in: ["uri": "tcp://host:1883"]))
    }

    @Test("the old key opens what the new one does not, and nothing else does")
    func rotation() throws {
        let sealed = try SecretsAtRest(key: Self.key).encrypted(Self.document)
        #expect(try SecretsAtRest(key: Self.other, oldKey: Self.key).decrypted(sealed) == Self.document)
        #expect(try SecretsAtRest(key: Self.key).decrypted(Self.document) == Self.document, "plain text passes")
        let failure = #expect(throws: TwinspanError.self) { try SecretsAtRest(key: Self.other).decrypted(sealed) }
        #expect(failure?.code == "connectivity:connection.configuration.invalid" && failure?.status == 400)
    }

    @Test(
        "what was changed or is no ciphertext is not opened",
        arguments: [
            "encrypted_", "encrypted_AAAA", "encrypted_not base64!", "encrypted_" + String(repeating: "A", count: 60),
        ])
    func broken(_ text: String) throws {
        let secrets = try SecretsAtRest(key: Self.key)
        let failure = #expect(throws: TwinspanError.self) {
            try secrets.decrypted(["credentials": ["password": .string(text)]])
        }
        #expect(failure?.code == "connectivity:connection.configuration.invalid")
    }

    @Test("a flipped bit is noticed")
    func tampering() throws {
        let cipher = try AESCipher(key: Array(0..<32))
        let sealed = try #require(cipher.seal(Array("secret".utf8)))
        #expect(cipher.open(sealed) == Array("secret".utf8))
        #expect(sealed.count == 12 + 6 + 16)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(cipher.open(changed) == nil)
        }
        #expect(cipher.open(try #require(cipher.seal([]))) == [])
    }

    @Test("the cipher is the one of the specification")
    func knownAnswer() throws {
        // The test case of the GCM specification with a key and a nonce of zeros and one block of zeros.
        let cipher = try AESCipher(key: [UInt8](repeating: 0, count: 32))
        let sealed: [UInt8] =
            [UInt8](repeating: 0, count: 12) + [
                0xCE, 0xA7, 0x40, 0x3D, 0x4D, 0x60, 0x6B, 0x6E, 0x07, 0x4E, 0xC5, 0xD3, 0xBA, 0xF3, 0x9D, 0x18,
                0xD0, 0xD1, 0xC8, 0xA7, 0x99, 0x99, 0x6B, 0xF0, 0x26, 0x5B, 0x98, 0xB5, 0xD4, 0x8A, 0xB9, 0x19,
            ]
        #expect(cipher.open(sealed) == [UInt8](repeating: 0, count: 16))
    }

    @Test(
        "what is no key of 32 bytes is refused",
        arguments: ["", "short", "AAAA", "!!!!", String(repeating: "A", count: 44)])
    func keys(_ text: String) {
        let failure = #expect(throws: SecretsFailure.self) { try SecretsAtRest(key: text) }
        #expect(failure?.description.contains("TWINSPAN_ENCRYPTION_KEY") == true)
        let old = #expect(throws: SecretsFailure.self) { try SecretsAtRest(key: Self.key, oldKey: text) }
        #expect(old?.description.contains("TWINSPAN_ENCRYPTION_KEY_OLD") == true)
    }
}
