import NIOPosix
import Synchronization
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanHTTP

@Suite("Status, dead letters and taps over HTTP")
struct ServiceRequestsTests {
    private static let root = "/devops/twinspan"

    @Test("the status has the figures of the service and of each connection")
    func status() async throws {
        try await withDoor(.memory) { door in
            var link = try snapshot(
                "c1", state: .failed,
                failure: BrokerFailure(
                    step: .connect, reaction: .backOff, reason: "refused", message: "No.", hint: "start it"),
                counters: [
                    .init(direction: .inbound, outcome: "received", value: 3),
                    .init(direction: .outbound, outcome: "dropped", reason: "queue-full", value: 2),
                ], queueDepth: 4, queueAge: 1.25)
            link.notes = ["Taken twice."]
            door.directory.set([link])
            door.clock.advance(seconds: 5)
            let answer = try await door(ops("GET", "\(Self.root)/status"))
            #expect(answer.status == 200)
            let json = try #require(answer.json?.object)
            #expect(json["version"]?.string == "1.2.3" && json["uptimeSeconds"]?.double == 6)
            #expect(json["journal"]?.object?["maxBytes"]?.int64 == 1_000)
            #expect(json["commit"]?.object?["p99Milliseconds"]?.isNull == true)
            #expect(json["memoryBytes"]?.int64 ?? 0 > 0)
            let connection = try #require(json["connections"]?.array?.first?.object)
            #expect(connection["id"]?.string == "c1" && connection["state"]?.string == "failed")
            #expect(
                connection["failure"] == ["step": "connect", "reason": "refused", "message": "No.", "hint": "start it"])
            #expect(connection["queue"] == ["messages": 4, "bytes": 400, "ageSeconds": 1.25])
            #expect(connection["inbox"] == ["messages": 0, "bytes": 0, "ageSeconds": 0])
            #expect(connection["counters"] == ["inbound/received": 3, "outbound/dropped/queue-full": 2])
            #expect(connection["notes"] == ["Taken twice."])
        }
    }

    // MARK: Dead letters

    private func letter(_ engine: TwinEngine, _ connection: String, payload: [UInt8]) throws -> DeadLetter {
        let time = Timestamp(milliseconds: 1_700_000_000_000)
        return DeadLetter(
            id: engine.makeRecordID(),
            message: KeptMessage(
                connection: try ConnectionID(connection), source: 0, address: "in/1", payload: payload,
                headers: [("mqtt.topic", "in/1")], qos: 1, isRetained: false, receivedAt: time),
            attempts: 1, diedAt: time, stage: "mapping", error: .jsonInvalid("Broken."), correlationID: "corr")
    }

    private func keep(_ engine: TwinEngine, _ letters: [DeadLetter]) throws {
        let ticket = engine.keep(letters.map { .deadLetterPut($0) })
        engine.commitSoon()
        #expect(engine.gate.wait(for: ticket, patience: .seconds(10)) == .committed)
    }

    @Test("dead letters are listed newest first, by pages and by connection")
    func list() async throws {
        try await withDoor(.memory) { door in
            let letters = try ["a", "b", "a"].map { try letter(door.engine, $0, payload: [1]) }
            try keep(door.engine, letters)
            func ids(_ query: String) async throws -> [Int64] {
                let answer = try await door(ops("GET", "\(Self.root)/deadletters\(query)"))
                return answer.json?.object?["deadLetters"]?.array?.compactMap { $0.object?["id"]?.int64 } ?? []
            }
            #expect(try await ids("") == letters.map(\.id).reversed())
            #expect(try await ids("?limit=1") == [letters[2].id])
            #expect(try await ids("?before=\(letters[2].id)") == [letters[1].id, letters[0].id])
            #expect(try await ids("?connection=a") == [letters[2].id, letters[0].id])
            #expect(try await ids("?connection=zz").isEmpty)
        }
    }

    @Test(
        "one dead letter is shown with headers, error and payload",
        arguments: [
            (Array("{broken".utf8), "utf-8", "{broken"), ([0xFF, 0x00], "base64", "/wA="),
        ])
    func show(_ payload: [UInt8], _ encoding: String, _ text: String) async throws {
        try await withDoor(.memory) { door in
            let letter = try letter(door.engine, "a", payload: payload)
            try keep(door.engine, [letter])
            let json = try #require(try await door(ops("GET", "\(Self.root)/deadletters/\(letter.id)")).json?.object)
            #expect(json["payloadEncoding"]?.string == encoding && json["payload"]?.string == text)
            #expect(json["headers"] == [["name": "mqtt.topic", "value": "in/1"]])
            #expect(json["error"]?.object?["error"]?.string == "json.invalid")
            #expect(json["stage"]?.string == "mapping" && json["source"]?.int64 == 1)
            #expect(json["correlationId"]?.string == "corr" && json["bytes"]?.int64 == Int64(payload.count))
        }
    }

    @Test("dead letters go one by one and by connection")
    func drop() async throws {
        try await withDoor(.memory) { door in
            let letters = try ["a", "b", "a"].map { try letter(door.engine, $0, payload: [1]) }
            try keep(door.engine, letters)
            let one = try await door(ops("DELETE", "\(Self.root)/deadletters/\(letters[0].id)"))
            #expect(one.status == 204 && one.body.isEmpty)
            let again = try await door(ops("DELETE", "\(Self.root)/deadletters/\(letters[0].id)"))
            #expect(again.status == 404 && again.code == "gateway:deadletter.notfound")
            let all = try await door(ops("DELETE", "\(Self.root)/deadletters?connection=a"))
            #expect(all.status == 200 && all.text == #"{"removed":1}"#)
            #expect(try door.engine.deadLetters(DeadLetterQuery()).map(\.id) == [letters[1].id])
        }
    }

    @Test("a retry reaches the registry, and only for a letter that is there")
    func retry() async throws {
        let registry = FakeRegistry()
        try await withDoor(.memory, registry: registry) { door in
            let letter = try letter(door.engine, "a", payload: [1])
            try keep(door.engine, [letter])
            let answer = try await door(ops("POST", "\(Self.root)/deadletters/\(letter.id)/retry"))
            #expect(answer.status == 204 && registry.calls == ["retry \(letter.id)"])
            #expect(try await door(ops("POST", "\(Self.root)/deadletters/999999999/retry")).status == 404)
            registry.fail(ConnectivityErrorTable.notFound.error())
            #expect(try await door(ops("POST", "\(Self.root)/deadletters/\(letter.id)/retry")).status == 404)
        }
    }

    @Test(
        "what is wrong with a request is said",
        arguments: [
            ("GET", "/deadletters?limit=0", 400, "gateway:parameter.invalid"),
            ("GET", "/deadletters?limit=1001", 400, "gateway:parameter.invalid"),
            ("GET", "/deadletters?limit=x", 400, "gateway:parameter.invalid"),
            ("GET", "/deadletters?before=-1", 400, "gateway:parameter.invalid"),
            ("GET", "/deadletters?connection=a%20b", 400, "connectivity:connection.id.invalid"),
            ("DELETE", "/deadletters", 400, "gateway:parameter.invalid"),
            ("GET", "/deadletters/77", 404, "gateway:deadletter.notfound"),
            ("GET", "/deadletters/x", 404, "gateway:route.notfound"),
            ("GET", "/deadletters/0", 404, "gateway:route.notfound"),
            ("POST", "/deadletters/1", 405, "gateway:method.notallowed"),
            ("GET", "/deadletters/1/retry", 405, "gateway:method.notallowed"),
            ("POST", "/status", 405, "gateway:method.notallowed"),
            ("GET", "/nothing", 404, "gateway:route.notfound"),
            ("GET", "/connections/a/tap?stage=nothing", 400, "gateway:parameter.invalid"),
            ("GET", "/connections/a/tap?outcome=maybe", 400, "gateway:parameter.invalid"),
            ("GET", "/connections/x/tap", 404, "connectivity:connection.notfound"),
            ("GET", "/connections//tap", 404, "gateway:route.notfound"),
        ])
    func refusals(_ method: String, _ path: String, _ status: Int, _ code: String) async throws {
        let registry = FakeRegistry()
        try registry.add("a")
        try await withDoor(.memory, registry: registry) { door in
            let answer = try await door(ops(method, Self.root + path))
            #expect(answer.status == status && answer.code == code, "\(answer.text)")
        }
    }

    // MARK: Taps

    @Test("a tap streams the notes it admits until the connection ends")
    func tap() async throws {
        let registry = FakeRegistry()
        try registry.add("a")
        try await withDoor(.socket, registry: registry) { door in
            async let answer = door(ops("GET", "\(Self.root)/connections/a/tap?outcome=failure"))
            while registry.state.withLock({ $0.recorder?.isTapped ?? false }) == false {
                try await Task.sleep(for: .milliseconds(5))
            }
            let recorder = try #require(registry.state.withLock { $0.recorder })
            recorder.note(StageNote(.source(0), .mapped, "Mapped."))
            recorder.note(StageNote(.source(0), .mapped, isFailure: true, "Not mapped.", correlationID: "c"))
            try await Task.sleep(for: .milliseconds(1_200))
            recorder.note(StageNote(.source(0), .dropped, isFailure: true, "Dropped."))
            recorder.endTaps()
            let text = try await answer
            #expect(text.status == 200 && text["content-type"] == "application/x-ndjson")
            // Chunked: what is not JSON is the framing.
            let lines = text.text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{") }
            let messages = lines.compactMap { try? JSONValue.parse(String($0)).object?["message"]?.string }
            #expect(messages.prefix(2) == ["Not mapped.", "Dropped."])
            #expect(messages.count == 3, "the last line says that the tap ends")
            let idle = text.text.split(whereSeparator: \.isNewline).count - lines.count
            #expect(idle < 40, "an idle tap must not run in circles")
            #expect(!recorder.isTapped)
        }
    }
}
