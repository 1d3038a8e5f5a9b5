// What only shows over time: nothing is left behind by a thousand http-push sessions.
import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanHTTPPush

extension BrokerTests {
    @Suite("http-push over time", .serialized)
    struct HTTPPushEnduranceTests {
        @Test("a thousand openings and closings leave no memory, thread or descriptor behind")
        func plainCycles() throws { try cycle(1000, scheme: "http", tls: nil, authority: nil) }

        @Test(
            "two hundred openings and closings over TLS leave no memory, thread or descriptor behind",
            .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
        func encryptedCycles() throws {
            let directory = try TemporaryDirectory()
            let certificate = try TestCertificate(host: "localhost", directory: directory.path)
            try cycle(
                200, scheme: "https", tls: HTTPTestServer.TLS(certificate), authority: certificate.authority)
        }

        /// Every session sends a message, so that there is a connection to close.
        private func cycle(_ times: Int, scheme: String, tls: HTTPTestServer.TLS?, authority: String?) throws {
            let server = try HTTPTestServer(tls: tls)
            defer { server.stop() }
            let connection = try pushConnection(
                scheme: scheme, host: "localhost", port: server.port, authority: authority)
            let client = HTTPPushBrokerClient.short
            let readings = try LeakWatch.run(cycles: times) { _ in
                let run = try PushRun(connection, client)
                try run.send("PUT:/cycles", "kept")
                try run.awaitEnds(1)
                try run.session.stop()
                try require(run.answers.count == 1, "\(run.refusals)")
                // What the server has noted is no leak.
                server.record.update { $0.requests.removeAll() }
            }
            print("http-push by \(scheme), \(times) openings: \(readings.before), then \(readings.after)")
        }
    }
}
