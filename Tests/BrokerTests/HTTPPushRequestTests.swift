// What http-push sends and what it makes of answers, against a server of the test's own.
import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanHTTPPush

extension BrokerTests {
    @Suite("http-push requests", .serialized)
    struct HTTPPushRequestTests {
        @Test("the shared scenarios of sending", arguments: AdapterScenario.sending)
        func shared(_ scenario: AdapterScenario) throws {
            try scenario.run(try HTTPPushHarness())
        }

        struct Row: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var address: String
            var base = ""
            var headers: [(name: String, value: String)] = []
            var settings: [String: String] = [:]
            var payload = "text"
            var isBinary = false
            var method: String
            var target: String
            var body = "text"
            var contentType: String? = "text/plain; charset=UTF-8"
        }

        static let rows: [Row] = [
            Row(testDescription: "POST", address: "POST:/a/b", method: "POST", target: "/a/b"),
            Row(testDescription: "PUT", address: "PUT:a", method: "PUT", target: "/a"),
            Row(testDescription: "PATCH", address: "PATCH:/", method: "PATCH", target: "/"),
            Row(
                testDescription: "GET has no body", address: "GET:/a", method: "GET", target: "/a", body: "",
                contentType: nil),
            Row(
                testDescription: "DELETE has no body", address: "DELETE:/a", method: "DELETE", target: "/a", body: "",
                contentType: nil),
            Row(
                testDescription: "no method is without body", address: "DELETE:/a", settings: ["omitRequestBody": ""],
                method: "DELETE", target: "/a"),
            Row(
                testDescription: "POST without body", address: "POST:/a", settings: ["omitRequestBody": "POST, PUT"],
                method: "POST", target: "/a", body: "", contentType: nil),
            Row(testDescription: "no path", address: "POST:", method: "POST", target: "/"),
            Row(
                testDescription: "a query is kept", address: "POST:/a?x=1&y=%20z&u=a/b?c", method: "POST",
                target: "/a?x=1&y=%20z&u=a/b?c"),
            Row(testDescription: "a query alone", address: "POST:?x=1", base: "/v1", method: "POST", target: "/v1?x=1"),
            Row(testDescription: "a fragment is not sent", address: "POST:/a?b#c", method: "POST", target: "/a?b"),
            Row(testDescription: "a base path", address: "POST:/a", base: "/v1/", method: "POST", target: "/v1/a"),
            Row(testDescription: "a base path alone", address: "POST:", base: "/v1/", method: "POST", target: "/v1"),
            Row(
                testDescription: "odd characters are encoded", address: "POST:/ä b/org:t%2F%zz|[1]", method: "POST",
                target: "/%C3%A4%20b/org:t%2F%25zz%7C%5B1%5D"),
            Row(
                testDescription: "http.path replaces all of the path", address: "POST:/a?x=1", base: "/v1",
                headers: [("http.path", "other/place")], method: "POST", target: "/other/place?x=1"),
            Row(
                testDescription: "http.query replaces the query", address: "POST:/a?x=1",
                headers: [("http.query", "y=2&z=ä")], method: "POST", target: "/a?y=2&z=%C3%A4"),
            Row(
                testDescription: "a content type", address: "POST:/a",
                headers: [("content-type", "application/json")], method: "POST", target: "/a",
                contentType: "application/json"),
            Row(
                testDescription: "bytes", address: "POST:/a", payload: "\u{0}\u{1}", isBinary: true, method: "POST",
                target: "/a", body: "\u{0}\u{1}", contentType: "application/octet-stream"),
            Row(
                testDescription: "an empty body", address: "POST:/a", payload: "", method: "POST", target: "/a",
                body: ""),
        ]

        @Test("a message becomes the request it describes", arguments: rows)
        func request(_ row: Row) throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port, path: row.base, settings: row.settings))
            try run.send(row.address, row.payload, headers: row.headers, isBinary: row.isBinary)
            try run.awaitEnds(1)
            try run.session.stop()
            let request = try #require(server.record.current.requests.first, "\(run.refusals)")
            #expect(request.method == row.method)
            #expect(request.target == row.target)
            #expect(request.text == row.body)
            #expect(request.header("content-type") == row.contentType)
            #expect(request.header("host") == "127.0.0.1:\(server.port)")
            #expect(request.header("http.path") == nil && request.header("http.query") == nil)
        }

        @Test("mapped headers are sent, except those of the connection")
        func headers() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send(
                "POST:/a", "body",
                headers: [
                    ("X-Device", "pump ä"), ("Transfer-Encoding", "gzip"), ("content-length", "9999"),
                    ("connection", "close"), ("host", "virtual.example"), ("authorization", "mine"),
                ])
            try run.awaitEnds(1)
            try run.session.stop()
            let request = try #require(server.record.current.requests.first)
            #expect(request.header("x-device") == "pump ä")
            #expect(request.header("transfer-encoding") == nil && request.header("connection") == nil)
            #expect(request.header("content-length") == "4")
            #expect(request.header("host") == "virtual.example")
            #expect(request.header("authorization") == "mine")
        }

        @Test(
            "what cannot be sent is refused for good",
            arguments: [
                ("FETCH:/a", "x", "y", "invalid-topic"), ("post:/a", "x", "y", "invalid-topic"),
                ("/a", "x", "y", "invalid-topic"), ("", "x", "y", "invalid-topic"),
                ("POST:/a", "x y", "z", "invalid-header"), ("POST:/a", "x", "a\r\nevil: 1", "invalid-header"),
                ("POST:/a", "", "z", "invalid-header"), ("POST:/a", "http.path", "a\nb", "invalid-header"),
            ])
        func refused(_ address: String, _ name: String, _ value: String, _ reason: String) throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send(address, headers: [(name, value)])
            try run.send("PUT:/good")
            try run.awaitEnds(2)
            try run.session.stop()
            #expect(run.refusals.map(\.reason) == [reason])
            #expect(run.refusals.map(\.status) == [400])
            #expect(server.record.current.requests.map(\.target) == ["/good"])
        }

        @Test(
            "every status is an answer, redirects too: they are not followed",
            arguments: [200, 201, 204, 301, 302, 307, 400, 401, 404, 429, 500, 503])
        func statuses(_ status: Int) throws {
            let server = try HTTPTestServer { _ in
                .answer(
                    status: status, headers: [("Location", "/elsewhere"), ("X-Reason", "Why")],
                    body: status == 204 ? "" : "told")
            }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send("POST:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            let answer = try #require(run.answers.first)
            #expect(answer.status == status && answer.isSuccess == (status < 300))
            #expect(answer.headers.contains { $0 == ("x-reason", "Why") })
            #expect(String(decoding: answer.body, as: UTF8.self) == (status == 204 ? "" : "told"))
            #expect(server.record.current.requests.count == 1)
        }

        @Test("an answer in chunks is put together, also one that says 100 first")
        func chunked() throws {
            let server = try HTTPTestServer { _ in .chunked(["one ", "two ", "three"]) }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send("POST:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(run.answers.map { String(decoding: $0.body, as: UTF8.self) } == ["one two three"])
        }

        @Test(
            "a body that is too large, too slow or broken off leaves the status, and says so",
            arguments: [
                ("large", "more than 1000 bytes"), ("large chunks", "more than 1000 bytes"),
                ("slow", "not complete in time"), ("broken", "broke off"),
            ])
        func incomplete(_ what: String, _ problem: String) throws {
            let server = try HTTPTestServer { request in
                guard request.target == "/first" else { return .answer(body: "fine") }
                switch what {
                case "large": return .answer(body: String(repeating: "x", count: 1001))
                case "large chunks": return .chunked(Array(repeating: "0123456789", count: 101))
                case "slow": return .broken(length: 100, body: "x", closes: false)
                default: return .broken(length: 100, body: "x", closes: true)
                }
            }
            defer { server.stop() }
            let client = HTTPPushBrokerClient.short(change: { limits in
                limits.answerBytes = 1000
                limits.answerBody = .milliseconds(300)
            })
            let run = try PushRun(try pushConnection(port: server.port), client)
            try run.send("POST:/first")
            try run.send("POST:/second")
            try run.awaitEnds(2)
            try run.session.stop()
            #expect(run.answers.map(\.status) == [200, 200])
            #expect(run.answers[0].bodyProblem?.contains(problem) == true, "\(run.answers[0])")
            #expect(run.answers[0].body.isEmpty)
            #expect(run.answers[1].bodyProblem == nil && run.answers[1].body == Array("fine".utf8))
        }

        @Test("with parallelism 1 requests keep their order and use one connection")
        func order() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            for number in 0..<200 { try run.send("POST:/\(number)") }
            try run.awaitEnds(200)
            try run.session.stop()
            let record = server.record.current
            #expect(record.requests.map(\.target) == (0..<200).map { "/\($0)" })
            #expect(record.mostUnderWay == 1)
            // The look at the beginning has a connection of its own.
            #expect(Set(record.requests.map(\.connection)).count == 1)
        }

        @Test(
            "the parallelism is rounded up to a power of two and never exceeded", arguments: [(3, 4), (4, 4), (8, 8)])
        func parallelism(_ wanted: Int, _ used: Int) throws {
            let server = try HTTPTestServer { _ in .late(20, .answer()) }
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(port: server.port, settings: ["parallelism": "\(wanted)"]))
            for number in 0..<60 { try run.send("POST:/\(number)") }
            try run.awaitEnds(60)
            try run.session.stop()
            #expect(server.record.current.mostUnderWay == used)
            #expect(Set(server.record.current.requests.map(\.target)).count == 60)
        }
    }
}
