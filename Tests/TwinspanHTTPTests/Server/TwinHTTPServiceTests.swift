import Glibc
import Logging
import Testing
import TwinspanEngine

@testable import TwinspanHTTP

@Suite("HTTP service")
struct TwinHTTPServiceTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func backend(_ door: Door) -> HTTPBackend {
        HTTPBackend(
            engine: door.engine, connections: door.directory, authenticator: door.authenticator,
            storeMeasures: { StoreMeasures() })
    }

    @Test("a port in use is named, with who has it and the flag to change it")
    func portInUse() async throws {
        try await withDoor(.memory) { door in
            let backend = backend(door)
            try await withService(backend, HTTPSettings(port: 0)) { first in
                let port = try #require(first.boundPort)
                let second = TwinHTTPService(backend: backend, settings: HTTPSettings(port: port), logger: logger)
                let failure = await #expect(throws: ListenFailure.self) { try await second.run() }
                #expect(failure?.code == EADDRINUSE)
                #expect(failure?.address == "127.0.0.1:\(port)")
                #expect(
                    failure?.description.hasPrefix("cannot listen on 127.0.0.1:\(port): the port is in use by ") == true
                )
                #expect(failure?.holder?.hasSuffix("(pid \(getpid()))") == true)
                #expect(failure?.hint == "Choose another address with --http HOST:PORT, or stop what holds the port.")
            }
        }
    }

    @Test(
        "a host that does not exist, and an address of another machine, are named",
        arguments: [
            "no-such-host.invalid", "192.0.2.1",
        ])
    func badHost(_ host: String) async throws {
        try await withDoor(.memory) { door in
            let service = TwinHTTPService(
                backend: backend(door), settings: HTTPSettings(host: host, port: 0), logger: logger)
            let failure = await #expect(throws: ListenFailure.self) { try await service.run() }
            #expect(failure?.description.hasPrefix("cannot listen on \(host):0: ") == true)
            #expect(service.boundPort == nil)
        }
    }

    @Test("several requests share a connection, also after an error and after a body that was refused")
    func keepAlive() async throws {
        try await withDoor(.memory) { door in
            try await withService(backend(door), HTTPSettings(port: 0)) { service in
                let port = try #require(service.boundPort)
                let answers = await BlockingCalls(threads: 1).run {
                    // Without a connection there are no statuses, which fails the expectation.
                    guard let descriptor = try? SocketClient.connect(port: port) else { return "" }
                    defer { close(descriptor) }
                    let big = String(repeating: "x", count: 2 << 20)
                    let requests = [
                        "GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
                        "PUT /api/2/things/a:b HTTP/1.1\r\nHost: h\r\nContent-Length: \(big.count)\r\n\r\n\(big)",
                        "HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n",
                        "GET /ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                    ]
                    SocketClient.write(requests.flatMap { Array($0.utf8) }, to: descriptor)
                    return SocketClient.text(from: descriptor)
                }
                let statuses = (answers ?? "").matches(of: /HTTP\/1\.1 ([0-9]+)/).map { String($0.output.1) }
                #expect(statuses == ["200", "401", "405", "200"])
            }
        }
    }
}

@Suite("Port holder")
struct PortHolderTests {
    @Test("sockets that listen on a port are found in the kernel's table")
    func finds() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
               1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
               2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
            """
        #expect(PortHolder.inodes(listeningOn: 8080, in: table) == ["socket:[4711]"])
        #expect(PortHolder.inodes(listeningOn: 8082, in: table).isEmpty)
        #expect(PortHolder.inodes(listeningOn: 8080, in: "").isEmpty)
    }
}
