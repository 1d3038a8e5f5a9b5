import Foundation
import Testing

@testable import TwinspanHTTP

@Suite("Credentials file")
struct CredentialsFileTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.path + "/twinspan-credentials-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }  // What is left over is in the temporary directory.
        try body(path)
    }

    @Test("the first start makes two users with random passwords that only the owner can read; later starts keep them")
    func makes() throws {
        try withDirectory { directory in
            let first = try CredentialsFile.open(in: directory)
            #expect(first.wasCreated)
            #expect(first.path == directory + "/credentials")
            #expect(first.users.map(\.name) == ["ditto", "devops"])
            #expect(first.users.map(\.role) == [.user, .devops])
            let mode = try FileManager.default.attributesOfItem(atPath: first.path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let text = try String(contentsOfFile: first.path, encoding: .utf8)
            #expect(text.hasPrefix("#"))
            let passwords = text.split(separator: "\n").dropFirst().map { $0.split(separator: ":")[1] }
            #expect(Set(passwords).count == 2)
            #expect(passwords.allSatisfy { $0.count == 24 })
            let second = try CredentialsFile.open(in: directory)
            #expect(!second.wasCreated)
            #expect(try String(contentsOfFile: first.path, encoding: .utf8) == text)
        }
    }

    @Test("users added by hand are read, with colons in passwords and lines of Windows")
    func reads() throws {
        let users = try CredentialsFile.parse("# c\n\nann:a:b\r\ndevops:x\n", path: "f")
        #expect(users.map(\.name) == ["ann", "devops"])
        guard case .password("a:b") = users[0].secret else {
            Issue.record("the password is not 'a:b'")
            return
        }
    }

    @Test(
        "a damaged file is refused and says where",
        arguments: [
            ("", "it names no user"), ("# only this\n", "it names no user"), ("ditto\n", "line 1"),
            ("\n:x\n", "line 2"),
            ("a:\n", "line 1"), ("a:1\na:2\n", "line 2"),
        ])
    func refuses(_ row: (text: String, what: String)) throws {
        let failure = #expect(throws: CredentialsFileFailure.self) {
            try CredentialsFile.parse(row.text, path: "/data/credentials")
        }
        #expect(failure?.description.contains(row.what) == true)
        #expect(failure?.description.contains("/data/credentials") == true)
    }

    @Test("a directory that is not there is named")
    func missing() {
        let failure = #expect(throws: CredentialsFileFailure.self) {
            try CredentialsFile.open(in: "/nonexistent/data")
        }
        #expect(failure?.description.contains("/nonexistent/data/credentials") == true)
    }
}
