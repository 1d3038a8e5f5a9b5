import Foundation
import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanNetwork

@Suite(
    "SSH tunnels with OpenSSH",
    .disabled(if: SSHServer.unavailableReason != nil, "\(SSHServer.unavailableReason ?? "")"))
struct SSHTunnelTests {
    private let echo: EchoServer

    init() throws { echo = try EchoServer() }

    private func settings(_ server: SSHServer, _ key: String, _ known: [String]? = nil) -> SSHTunnelSettings {
        SSHTunnelSettings(
            host: "localhost", port: server.port, user: server.user, login: .key(Secret(key)),
            validatesHost: known != nil, knownHosts: (known ?? []).compactMap(SSHFingerprint.init))
    }

    private func dialler(_ settings: SSHTunnelSettings, to port: Int? = nil) -> NetworkDialler {
        var endpoint = Endpoint(host: "127.0.0.1", port: port ?? echo.port)
        endpoint.tunnel = settings
        return NetworkDialler(endpoint, speaking: "echo", timeout: .seconds(10))
    }

    private func connect(_ dialler: NetworkDialler, _ observer: TestObserver = TestObserver()) throws -> Int32 {
        let wake = try #require(WakeSignal())
        switch dialler.connect(until: .after(.seconds(10)), control: SessionControl(), wake: wake, observer: observer) {
        case .reached(let descriptor):
            _ = fcntl(descriptor, F_SETFL, 0)
            return descriptor
        case .stopped: throw ScenarioFailure("stopped")
        case .failed(let failure): throw failure
        }
    }

    /// Sends bytes in pieces while it reads them back.
    private func echoed(_ descriptor: Int32, _ bytes: [UInt8]) -> [UInt8] {
        Thread.detachNewThread {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while answer.count < bytes.count {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer.prefix(count)
        }
        return answer
    }

    @Test("bytes pass both ways, with keys as OpenSSH and as PKCS #8", arguments: ["rsa", "ecdsa", "ed25519"])
    func bytes(kind: String) throws {
        let server = try SSHServer(kind: kind)
        for key in [server.key, server.pkcs8Key] {
            let descriptor = try connect(dialler(settings(server, key)))
            defer { close(descriptor) }
            let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            #expect(echoed(descriptor, Array("hello".utf8)) == Array("hello".utf8))
            #expect(echoed(descriptor, large) == large)
        }
    }

    @Test("the host is known by each kind of fingerprint, and by no other")
    func fingerprints() throws {
        let server = try SSHServer()
        for algorithm in ["md5", "sha1", "sha256", "sha384", "sha512"] {
            let known = ["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", try server.fingerprint(algorithm)]
            close(try connect(dialler(settings(server, server.key, known))))
        }
        let foreign = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
        let observer = TestObserver()
        let failure = #expect(throws: BrokerFailure.self) {
            try connect(dialler(settings(server, server.key, [foreign])), observer)
        }
        #expect(failure?.reason == "ssh-host-key" && failure?.reaction == .misconfigured && failure?.step == .connect)
        #expect(failure?.message.contains(try server.fingerprint()) == true, "\(failure?.message ?? "")")
        #expect(observer.state.current.places[.tunnel] == failure)
    }

    @Test("what is wrong with a tunnel is told apart")
    func failures() throws {
        let server = try SSHServer()
        let other = try SSHServer()
        let closed = try SSHServer(lines: ["AllowTcpForwarding no"])
        let silent = try LoopbackListener()
        var nowhere = settings(server, server.key)
        nowhere.port = try LoopbackPort.free()
        var unknown = settings(server, server.key)
        unknown.host = "no-such-host.invalid"
        var noSSH = settings(server, server.key)
        noSSH.port = echo.port
        var withPassword = settings(server, server.key)
        withPassword.login = .password(Secret("secret"))
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----"
        let rows: [(settings: SSHTunnelSettings, port: Int?, reason: String, text: String)] = [
            (settings(server, other.key), nil, "ssh-authentication", "SSH session authentication failed: "),
            (withPassword, nil, "ssh-authentication", "it takes: public-key"),
            (settings(server, "nonsense"), nil, "ssh-authentication", "privateKey cannot be read"),
            (settings(server, encrypted), nil, "ssh-authentication", "privateKey cannot be read"),
            (nowhere, nil, "ssh-unreachable", "SSH connection failed: "),
            (unknown, nil, "ssh-unreachable", "could not be resolved"),
            (noSSH, nil, "ssh-unreachable", "SSH connection failed: "),
            (settings(closed, closed.key), nil, "ssh-forward-refused", "cannot be connected to from"),
            (settings(server, server.key), try LoopbackPort.free(), "unreachable", "Connection refused"),
        ]
        for row in rows {
            let failure = #expect(throws: BrokerFailure.self) { try connect(dialler(row.settings, to: row.port)) }
            #expect(failure?.reason == row.reason && failure?.step == .connect, "\(row) \(failure as Any)")
            #expect(failure?.message.contains(row.text) == true, "\(row.text): \(failure?.message ?? "")")
            #expect(failure?.message.contains("secret") == false)
        }
        var mute = settings(server, server.key)
        mute.port = silent.port
        let wake = try #require(WakeSignal())
        let outcome = dialler(mute).connect(
            until: .after(.milliseconds(300)), control: SessionControl(), wake: wake, observer: TestObserver())
        guard case .failed(let failure) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(failure.reason == "ssh-unreachable")
    }

    @Test("a server that dies ends what goes through the tunnel, and says why")
    func death() throws {
        let server = try SSHServer()
        let observer = TestObserver()
        let descriptor = try connect(dialler(settings(server, server.key)), observer)
        defer { close(descriptor) }
        #expect(echoed(descriptor, [1, 2, 3]) == [1, 2, 3])
        server.kill()
        var byte: UInt8 = 0
        #expect(recv(descriptor, &byte, 1, 0) <= 0)
        #expect(observer.state.wait(5) { $0.places[.tunnel]?.reason == "ssh-lost" })
        try server.start()
        let again = try connect(dialler(settings(server, server.key)), observer)
        #expect(echoed(again, [4]) == [4] && observer.state.current.places[.tunnel] == nil)
        close(again)
    }

    @Test("a server that answers no more is noticed by the heartbeat")
    func silence() throws {
        let server = try SSHServer()
        let observer = TestObserver()
        var dialler = dialler(settings(server, server.key))
        dialler.tunnelTiming.heartbeat = .seconds(2)
        let descriptor = try connect(dialler, observer)
        defer { close(descriptor) }
        Thread.sleep(forTimeInterval: 5)
        #expect(echoed(descriptor, [1]) == [1] && observer.state.current.places[.tunnel] == nil)
        server.pause()
        defer { server.resume() }
        var byte: UInt8 = 0
        #expect(recv(descriptor, &byte, 1, 0) <= 0)
        #expect(observer.state.wait(20) { $0.places[.tunnel]?.reason == "ssh-keep-alive" })
    }

    @Test("a tunnel goes with what uses it, and stays while it is held")
    func lifetime() throws {
        let server = try SSHServer()
        let wake = try #require(WakeSignal())
        var dialler = dialler(settings(server, server.key))
        dialler.tunnelTiming.idle = .milliseconds(100)
        let outcome = dialler.probe(
            until: .after(.seconds(10)), control: SessionControl(), wake: wake, observer: TestObserver())
        guard case .reached(let reached) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        var held: NetworkDialler.Reached? = reached
        let port = reached.port
        for _ in 0..<3 {
            let descriptor = try LoopbackPort.connect(to: port)
            #expect(echoed(descriptor, [7]) == [7])
            close(descriptor)
            Thread.sleep(forTimeInterval: 0.3)
        }
        let last = try LoopbackPort.connect(to: port)
        #expect(echoed(last, [8]) == [8])
        _ = consume held
        held = nil
        #expect(echoed(last, [9]) == [9])
        close(last)
    }

    @Test("a stop ends the attempt at once")
    func stop() throws {
        let silent = try LoopbackListener()
        let server = try SSHServer()
        var mute = settings(server, server.key)
        mute.port = silent.port
        let control = SessionControl()
        let wake = try #require(WakeSignal())
        control.begin(wake: wake)
        let dialler = dialler(mute)
        let begin = Deadline.now
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.2)
            control.stop(grace: .seconds(1))
        }
        let outcome = dialler.connect(
            until: .after(.seconds(10)), control: control, wake: wake, observer: TestObserver())
        guard case .stopped = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(Deadline.now.since(begin) < .seconds(5))
    }
}

/// Sends back what it gets.
private final class EchoServer: Sendable {
    let port: Int
    private let listener: LoopbackListener

    init() throws {
        let listener = try LoopbackListener()
        self.listener = listener
        port = listener.port
        Thread.detachNewThread {
            while case let descriptor = listener.accept(), descriptor >= 0 {
                Thread.detachNewThread {
                    var buffer = [UInt8](repeating: 0, count: 65_536)
                    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                        var rest = buffer.prefix(count)
                        while !rest.isEmpty {
                            let sent = rest.withUnsafeBytes {
                                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                            }
                            guard sent > 0 else { break }
                            rest = rest.dropFirst(sent)
                        }
                    }
                    close(descriptor)
                }
            }
        }
    }

    deinit { listener.interrupt() }
}
