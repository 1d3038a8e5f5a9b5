import Foundation
import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanNetwork

@Suite(
    "TLS context against openssl s_server",
    .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
struct TLSContextTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func certificate(_ host: String = "localhost", _ options: TestCertificate.Options = .init()) throws
        -> TestCertificate
    {
        try TestCertificate(host: host, directory: directory.path, options)
    }

    /// Shakes hands and asks for the page; returns what came of it.
    private func visit(_ server: TLSServer, _ context: TLSContext) throws
        -> String
    {
        let descriptor = try LoopbackPort.connect(to: server.port)
        defer { close(descriptor) }
        let stream = try #require(TLSStream(context, descriptor: descriptor))
        let greeting = stream.shakeHands()
        guard greeting == .done(0) else { return "\(greeting)" }
        let request = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        guard case .done(request.count) = request.withUnsafeBytes({ stream.write($0) }) else { return "not written" }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case .done(let count) = buffer.withUnsafeMutableBytes({ stream.read(into: $0) }) {
            answer += buffer.prefix(count)
        }
        return answer.isEmpty ? "nothing" : "page " + stream.version + String(decoding: answer, as: UTF8.self)
    }

    @Test("the name is verified by its own rules, whatever address is dialled")
    func names() throws {
        let rows: [(names: [String], subject: String, expected: String, finding: TLSInspection.Finding?)] = [
            (["DNS:localhost"], "localhost", "localhost", nil),
            (["DNS:broker.example"], "x", "broker.example", nil),
            (["DNS:broker.example"], "x", "broker.example.", nil),
            (["DNS:*.plant.example"], "x", "broker.plant.example", nil),
            (["DNS:b*.plant.example"], "x", "broker.plant.example", .otherName(["b*.plant.example"])),
            (["DNS:*.example"], "x", "broker.plant.example", .otherName(["*.example"])),
            (["IP:192.0.2.7"], "x", "192.0.2.7", nil),
            (["IP:2001:db8::7"], "x", "[2001:db8::7]", nil),
            (["email:a@b.example"], "broker.example", "broker.example", nil),
            (["DNS:a.example", "DNS:b.example"], "x", "c.example", .otherName(["a.example", "b.example"])),
            (["DNS:broker.example"], "other.example", "other.example", .otherName(["broker.example"])),
            (["DNS:192.0.2.7"], "192.0.2.7", "192.0.2.7", .otherName(["192.0.2.7"])),
            (["IP:192.0.2.8"], "x", "192.0.2.7", .otherName(["192.0.2.8"])),
        ]
        for row in rows {
            let made = try certificate(row.subject, .init(names: row.names))
            let server = try TLSServer(made.server, directory: directory.path)
            let context = try TLSContext(
                TLSSettings(serverName: row.expected, trustedCertificates: made.authority))
            let page = try visit(server, context)
            #expect(page.hasPrefix("page TLSv1.3") == (row.finding == nil), "\(row): \(page)")
            #expect(context.problem?.finding == row.finding, "\(row)")
        }
    }

    @Test("a chain that is not to be trusted is told by what is wrong and whose certificate it is")
    func chains() throws {
        let good = try certificate("localhost", .init(hasIntermediate: true))
        let server = try TLSServer(good.server, directory: directory.path)
        let elsewhere = try TemporaryDirectory()
        let other = try TestCertificate(host: "localhost", directory: elsewhere.path)
        let trusts = { (text: String?) in
            try TLSContext(TLSSettings(serverName: "localhost", trustedCertificates: text))
        }
        #expect(try visit(server, trusts(good.authority)).hasPrefix("page"))
        #expect(try visit(server, trusts(other.authority + good.authority)).hasPrefix("page"))
        // The intermediate alone will do, and so will the certificate itself, under any name.
        let parts = good.server.certificate.components(separatedBy: "-----BEGIN")
        #expect(try visit(server, trusts("-----BEGIN" + parts[2])).hasPrefix("page"))
        let pinned = TLSSettings(serverName: "other.example", trustedCertificates: "-----BEGIN" + parts[1])
        #expect(try visit(server, TLSContext(pinned)).hasPrefix("page"))
        let wrong = try trusts(other.authority)
        #expect(try visit(server, wrong).hasPrefix("failed"))
        guard case .untrusted = wrong.problem?.finding else {
            Issue.record("\(String(describing: wrong.problem))")
            return
        }
        #expect(wrong.problem?.subject == "CN = test intermediate" && wrong.problem?.depth == 1)
        let system = try trusts(nil)
        #expect(try visit(server, system).hasPrefix("failed") && system.problem != nil)
        let blind = try TLSContext(TLSSettings(serverName: "other.example", validates: false))
        #expect(try visit(server, blind).hasPrefix("page") && blind.problem == nil)
    }

    @Test("a certificate of another time is told with that time")
    func times() throws {
        for validity in [TestCertificate.Validity.expired, .notYet] {
            let made = try certificate("localhost", .init(validity: validity))
            let server = try TLSServer(made.server, directory: directory.path)
            let context = try TLSContext(TLSSettings(serverName: "localhost", trustedCertificates: made.authority))
            #expect(try visit(server, context).hasPrefix("failed"))
            switch (validity, context.problem?.finding) {
            case (.expired, .expired(let time)), (.notYet, .notYetValid(let time)): #expect(time.hasSuffix("GMT"))
            default: Issue.record("\(validity): \(String(describing: context.problem))")
            }
            let failure = NetworkFailure.tls(peer: "localhost:1", text: nil, context: context)
            #expect(failure.reason == (validity == .expired ? "certificate-expired" : "certificate-not-yet-valid"))
        }
    }

    @Test("the name is indicated to the server, and an address is not", arguments: ["TLSv1.2", "TLSv1.3"])
    func indication(version: String) throws {
        let made = try certificate("named.example", .init(names: ["DNS:named.example", "IP:192.0.2.7"]))
        // It refuses whoever indicates another name than this one.
        let server = try TLSServer(
            made.server, directory: directory.path,
            [
                "-servername", "named.example", "-servername_fatal", "-cert2", made.certificatePath, "-key2",
                made.keyPath, version == "TLSv1.2" ? "-tls1_2" : "-tls1_3",
            ])
        let rows = [("named.example", true), ("192.0.2.7", true), ("other.example", false)]
        for (name, isAnswered) in rows {
            let context = try TLSContext(TLSSettings(serverName: name, validates: false))
            let page = try visit(server, context)
            #expect(page.hasPrefix("page \(version)") == isAnswered, "\(name): \(page)")
        }
    }

    @Test("versions and ciphers are as demanded")
    func demands() throws {
        let made = try certificate()
        let old = try TLSServer(made.server, directory: directory.path, ["-tls1_2"])
        let ancient = try TLSServer(made.server, directory: directory.path, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        let settings = TLSSettings(serverName: "localhost", trustedCertificates: made.authority)
        #expect(try visit(old, TLSContext(settings)).hasPrefix("page TLSv1.2"))
        #expect(try visit(ancient, TLSContext(settings)).hasPrefix("failed"))
        var newest = settings
        newest.minimumVersion = .tls13
        let context = try TLSContext(newest)
        #expect(try visit(old, context).hasPrefix("failed"))
        var picky = settings
        picky.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
        #expect(try visit(old, TLSContext(picky)).contains("ECDHE-ECDSA-AES256-GCM-SHA384"))
    }

    @Test("a client proves who it is; without a certificate, or with a foreign one, it is told so")
    func clients() throws {
        let made = try certificate("localhost", .init(hasIntermediate: true))
        let elsewhere = try TemporaryDirectory()
        let foreign = try TestCertificate(host: "localhost", directory: elsewhere.path)
        for version in ["-tls1_2", "-tls1_3"] {
            let server = try TLSServer(
                made.server, directory: directory.path,
                ["-Verify", "2", "-verify_return_error", "-CAfile", made.authorityPath, version])
            let rows: [(client: TestCertificate.Pair?, isLetIn: Bool)] = [
                (try made.client("pump"), true), (nil, false), (try foreign.client("pump"), false),
            ]
            for row in rows {
                var settings = TLSSettings(serverName: "localhost", trustedCertificates: made.authority)
                settings.clientCertificate = row.client.map {
                    TLSSettings.ClientCertificate(chain: $0.certificate, key: Secret($0.key))
                }
                let context = try TLSContext(settings)
                let page = try visit(server, context)
                #expect(page.hasPrefix("page") == row.isLetIn, "\(version) \(page)")
                guard !row.isLetIn else { continue }
                let failure = NetworkFailure.tls(peer: "localhost:1", text: nil, context: context)
                #expect(failure.reason == (version == "-tls1_2" && row.client == nil ? "tls" : "certificate-client"))
                #expect(failure.reaction == .misconfigured, "\(failure)")
            }
        }
    }

    @Test("material that cannot be used is refused with the field that holds it")
    func material() throws {
        let made = try certificate()
        let (one, two) = (try made.client("one"), try made.client("two"))
        let client = { (chain: String, key: String) in
            TLSSettings(
                serverName: "h", clientCertificate: TLSSettings.ClientCertificate(chain: chain, key: Secret(key)))
        }
        let broken = one.certificate.replacingOccurrences(of: "MII", with: "MIX")
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let rows: [(settings: TLSSettings, pointer: String, text: String)] = [
            (TLSSettings(serverName: "h", trustedCertificates: "text"), "/ca", "BEGIN CERTIFICATE"),
            (TLSSettings(serverName: "h", trustedCertificates: ""), "/ca", "BEGIN CERTIFICATE"),
            (TLSSettings(serverName: "h", trustedCertificates: made.authority + broken), "/ca", "certificate 2"),
            (client(broken, one.key), "/credentials/cert", "BEGIN CERTIFICATE"),
            (client(one.key, one.key), "/credentials/cert", "BEGIN CERTIFICATE"),
            (client(one.certificate, one.certificate), "/credentials/key", "BEGIN PRIVATE KEY"),
            (client(one.certificate, two.key), "/credentials/key", "does not belong"),
            (client(one.certificate, encrypted), "/credentials/key", "encrypted"),
            (TLSSettings(serverName: "h", ciphers: "NONSENSE"), "/twinspan/tlsCiphers", "none of these"),
        ]
        for row in rows {
            let error = #expect(throws: TLSMaterialError.self) { _ = try TLSContext(row.settings) }
            #expect(
                error?.pointer == row.pointer && error?.message.contains(row.text) == true, "\(row) \(error as Any)")
            #expect(error?.failure.reaction == .misconfigured)
        }
        _ = try TLSContext(client(one.certificate, one.key))
    }

    @Test("a context that is gone leaves a library's reference working")
    func lifetime() throws {
        let made = try certificate()
        let server = try TLSServer(made.server, directory: directory.path)
        let settings = TLSSettings(serverName: "localhost", trustedCertificates: made.authority)
        var outer: TLSContext? = try TLSContext(settings)
        let kept = try TLSContext(settings, configuring: try #require(outer).pointer)
        outer = nil
        #expect(try visit(server, kept).hasPrefix("page"))
    }

    @Test("a context that is set up anew keeps nothing of the first time")
    func again() throws {
        let context = try TLSContext(TLSSettings(serverName: "localhost"))
        var record: TLSRecord? = TLSRecord(TLSSettings(serverName: "first.example"))
        weak var first: TLSRecord?
        first = record
        TLSRecord.attach(try #require(record), anchors: nil, to: OpaquePointer(context.pointer))
        record = nil
        #expect(first != nil)
        try withExtendedLifetime(TLSContext(TLSSettings(serverName: "next.example"), configuring: context.pointer)) {
            #expect(first == nil)
        }
    }
}
