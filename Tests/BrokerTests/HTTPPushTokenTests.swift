// Tokens of OAuth2: fetched, kept, replaced, refused.
import Synchronization
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanHTTPPush

extension BrokerTests {
    @Suite("http-push tokens", .serialized)
    struct HTTPPushTokenTests {
        private static let now: Int64 = 1_800_000_000

        private static func jwt(_ number: Int, expiry: Int64) -> String {
            func part(_ text: String) -> String {
                String(
                    Base64.encode(Array(text.utf8)).compactMap {
                        $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0
                    })
            }
            return part(#"{"alg":"none"}"#) + "." + part(#"{"exp":\#(expiry),"n":\#(number),"s":"?>ÿ"}"#)
                + ".sig\(number)"
        }

        private static func credentials(_ port: Int, password: Bool = false) -> JSONObject {
            var json: JSONObject = [
                "type": password ? "oauth-password" : "oauth-client-credentials",
                "tokenEndpoint": .string("http://127.0.0.1:\(port)/token?tenant=1"), "clientId": "client &",
                "requestedScopes": "push read",
            ]
            if password {
                json["username"] = "jöe"
                json["password"] = "p w"
            } else {
                json["clientSecret"] = "s=cret"
                json["audience"] = "service"
            }
            return json
        }

        /// Gives out tokens numbered from 0.
        private static func tokenServer(lifetime: Int64 = 3600) throws -> HTTPTestServer {
            let counter = Counter()
            return try HTTPTestServer { _ in
                let number = counter.next()
                let token = jwt(number, expiry: now + lifetime * Int64(number + 1))
                return .answer(
                    headers: [("content-type", "application/json;charset=UTF-8")],
                    body: #"{"access_token":"\#(token)","token_type":"bearer"}"#)
            }
        }

        @Test("a token is fetched once, with the form of the flow", arguments: [false, true])
        func fetched(_ isPassword: Bool) throws {
            let (tokens, server) = (try Self.tokenServer(), try HTTPTestServer())
            defer {
                tokens.stop()
                server.stop()
            }
            let run = try PushRun(
                try pushConnection(
                    port: server.port, credentials: Self.credentials(tokens.port, password: isPassword)))
            for _ in 0..<5 { try run.send("POST:/a") }
            try run.awaitEnds(5)
            try run.session.stop()
            #expect(run.session.observer.state.current.steps == [.resolve, .connect, .authenticate, .serve])
            let asked = tokens.record.current.requests
            try #require(asked.count == 1)
            #expect(asked[0].method == "POST" && asked[0].target == "/token?tenant=1")
            #expect(asked[0].header("content-type") == "application/x-www-form-urlencoded")
            #expect(asked[0].header("accept") == "application/json")
            #expect(
                asked[0].text
                    == (isPassword
                        ? "grant_type=password&client_id=client+%26&scope=push+read&username=j%C3%B6e&password=p+w"
                        : "grant_type=client_credentials&client_id=client+%26&scope=push+read"
                            + "&client_secret=s%3Dcret&audience=service"))
            let expected = "Bearer " + Self.jwt(0, expiry: Self.now + 3600)
            #expect(server.record.current.requests.allSatisfy { $0.header("authorization") == expected })
        }

        @Test("a token is replaced a minute before it expires")
        func rotated() throws {
            let (tokens, server) = (try Self.tokenServer(), try HTTPTestServer())
            defer {
                tokens.stop()
                server.stop()
            }
            let clock = Watched(Self.now)
            let run = try PushRun(
                try pushConnection(port: server.port, credentials: Self.credentials(tokens.port)),
                HTTPPushBrokerClient.short(now: { clock.current }))
            for (step, count) in [(Int64(0), 1), (3539, 1), (3540, 2)] {
                clock.update { $0 = Self.now + step }
                let before = run.answers.count
                try run.send("POST:/a")
                try run.awaitEnds(before + 1)
                #expect(tokens.record.current.requests.count == count)
            }
            try run.session.stop(grace: .seconds(1))
        }

        @Test("a token that was taken back is replaced once, and the request sent again")
        func revoked() throws {
            let tokens = try Self.tokenServer()
            let server = try HTTPTestServer { request in
                .answer(status: request.header("authorization")?.hasSuffix(".sig0") == true ? 401 : 200)
            }
            defer {
                tokens.stop()
                server.stop()
            }
            let run = try PushRun(try pushConnection(port: server.port, credentials: Self.credentials(tokens.port)))
            try run.send("POST:/a", "body")
            try run.send("POST:/b")
            try run.awaitEnds(2)
            try run.session.stop()
            #expect(run.answers.map(\.status) == [200, 200])
            #expect(server.record.current.requests.map(\.target) == ["/a", "/a", "/b"])
            #expect(tokens.record.current.requests.count == 2)
        }

        @Test("a second 401 is an answer")
        func forbidden() throws {
            let tokens = try Self.tokenServer()
            let server = try HTTPTestServer { _ in .answer(status: 401) }
            defer {
                tokens.stop()
                server.stop()
            }
            let run = try PushRun(try pushConnection(port: server.port, credentials: Self.credentials(tokens.port)))
            try run.send("POST:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(run.answers.map(\.status) == [401] && server.record.current.requests.count == 2)
        }

        @Test(
            "an endpoint that gives no token keeps the connection from opening",
            arguments: [
                (401, "application/json", "{}", "failed: it answered 401", "bad-credentials"),
                (500, "application/json", "{}", "failed: it answered 500", "token"),
                (302, "application/json", "{}", "failed: it answered 302", "token"),
                (200, "text/html", "<p>", "Received invalid JSON web token response from", "token"),
                (200, "application/json", "no json", "Received invalid JSON web token response from", "token"),
                (200, "application/json", "{}", "it has no 'access_token'", "token"),
                (200, "application/json", #"{"access_token":5}"#, "it has no 'access_token'", "token"),
                (200, "application/json", #"{"access_token":"opaque"}"#, "no JWT with an expiry", "token"),
                (200, "application/json", #"{"access_token":"e30.e30.x"}"#, "no JWT with an expiry", "token"),
                (200, "application/json", #"{"access_token":"e30.!!.x"}"#, "no JWT with an expiry", "token"),
            ])
        func refused(_ status: Int, _ type: String, _ body: String, _ text: String, _ reason: String) throws {
            let tokens = try HTTPTestServer { _ in
                .answer(status: status, headers: [("content-type", type)], body: body)
            }
            let server = try HTTPTestServer()
            defer {
                tokens.stop()
                server.stop()
            }
            let run = try PushRun(
                try pushConnection(port: server.port, credentials: Self.credentials(tokens.port)), isOpen: false)
            let failure = try run.session.failure()
            #expect(failure.step == .authenticate && failure.reason == reason)
            #expect(failure.message.contains(text), "\(failure.message)")
            #expect(!"\(failure)".contains("s=cret") && !"\(failure)".contains("s%3Dcret"))
        }

        @Test("an endpoint nobody listens on, and a token that has expired already")
        func unreachable() throws {
            let server = try HTTPTestServer()
            let stale = try Self.tokenServer(lifetime: 60)
            defer {
                server.stop()
                stale.stop()
            }
            for (port, text) in [(try LoopbackPort.free(), "cannot be connected to"), (stale.port, "expired already")] {
                let run = try PushRun(
                    try pushConnection(port: server.port, credentials: Self.credentials(port)), isOpen: false)
                let failure = try run.session.failure()
                #expect(failure.step == .authenticate && failure.message.contains(text), "\(failure.message)")
            }
        }
    }
}

/// Counts from 0.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}
