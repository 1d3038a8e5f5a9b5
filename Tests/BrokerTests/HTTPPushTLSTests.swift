// http-push over TLS: whom it trusts, and who it is.
import Foundation
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanTestSupport

@testable import TwinspanHTTPPush

extension BrokerTests {
    @Suite(
        "http-push over TLS", .serialized,
        .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
    struct HTTPPushTLSTests {
        private func outcome(
            host: String = "localhost", named: String = "localhost", isExpired: Bool = false,
            trusts: Bool = true, validates: Bool = true
        ) throws -> (failure: BrokerFailure?, answers: Int) {
            let directory = try TemporaryDirectory()
            let certificate = try TestCertificate(host: named, directory: directory.path, isExpired: isExpired)
            let server = try HTTPTestServer(tls: HTTPTestServer.TLS(certificate))
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(
                    scheme: "https", host: host, port: server.port,
                    authority: trusts ? certificate.authority : nil, validates: validates), isOpen: false)
            try run.send("POST:/a", "secret")
            let hasOpened = run.session.observer.state.wait(5) { $0.openings > 0 || $0.steps.contains(.tls) }
            try require(hasOpened, "no handshake was begun")
            if run.outcomes.state.wait(1.5, until: { !$0.answers.isEmpty }) {
                try run.session.stop()
                return (nil, run.answers.count)
            }
            return (try run.session.failure(), run.answers.count)
        }

        @Test("a certificate of the connection's authority is accepted")
        func accepted() throws {
            let result = try outcome()
            #expect(result.failure == nil && result.answers == 1)
        }

        @Test("nothing is verified when validateCertificates is false")
        func unverified() throws {
            #expect(
                try outcome(named: "elsewhere.example", isExpired: true, trusts: false, validates: false).answers == 1)
        }

        @Test(
            "a certificate that does not fit ends the attempt, and says why",
            arguments: [
                ("localhost", false, false, "certificate-untrusted"), ("localhost", true, true, "certificate-expired"),
                ("elsewhere.example", false, true, "certificate-host"),
            ])
        func refused(_ named: String, _ isExpired: Bool, _ trusts: Bool, _ reason: String) throws {
            let failure = try #require(try outcome(named: named, isExpired: isExpired, trusts: trusts).failure)
            #expect(
                failure.reason == reason && failure.step == .tls && failure.reaction == .misconfigured, "\(failure)")
        }

        @Test("a server that speaks no TLS fails the handshake")
        func plain() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(scheme: "https", port: server.port), isOpen: false)
            let failure = try run.session.failure()
            #expect(failure.step == .tls, "\(failure)")
        }

        @Test("the client's certificate is shown to who asks for it, and its absence is a failure")
        func client() throws {
            let (own, theirs) = (try TemporaryDirectory(), try TemporaryDirectory())
            let mine = try TestCertificate(host: "client", directory: own.path)
            let certificate = try TestCertificate(host: "localhost", directory: theirs.path)
            let server = try HTTPTestServer(tls: HTTPTestServer.TLS(certificate, clientAuthority: mine.authority))
            defer { server.stop() }
            let credentials: JSONObject = [
                "type": "client-cert",
                "cert": .string(try String(contentsOfFile: mine.certificatePath, encoding: .utf8)),
                "key": .string(try String(contentsOfFile: mine.keyPath, encoding: .utf8)),
            ]
            let run = try PushRun(
                try pushConnection(
                    scheme: "https", host: "localhost", port: server.port, credentials: credentials,
                    authority: certificate.authority))
            try run.send("POST:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(run.answers.map(\.status) == [200])

            let stranger = try PushRun(
                try pushConnection(
                    scheme: "https", host: "localhost", port: server.port, authority: certificate.authority),
                isOpen: false)
            try stranger.send("PUT:/a")
            let failure = try stranger.session.failure()
            #expect(failure.reason == "tls", "\(failure)")
            #expect(server.record.current.requests.count == 1)
        }

        @Test("texts that are no certificates are a matter of configuration")
        func malformed() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(scheme: "https", port: server.port, authority: "no certificate"), isOpen: false)
            let failure = try run.session.failure()
            #expect(failure.reason == "tls" && failure.reaction == .misconfigured && failure.step == .tls)
        }
    }
}
