// What http-push does when servers are slow, gone or wrong, and who it says it is.
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanTestSupport

@testable import TwinspanHTTPPush

extension BrokerTests {
    @Suite("http-push faults", .serialized)
    struct HTTPPushFaultTests {
        // MARK: Connections

        @Test("a port nobody listens on is refused")
        func nobody() throws {
            let run = try PushRun(try pushConnection(port: try LoopbackPort.free()), isOpen: false)
            let failure = try run.session.failure()
            #expect(failure.reason == "refused" && failure.step == .connect && failure.reaction == .backOff)
        }

        @Test("a stop before the run ends it at once, and a session can run again")
        func again() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let queue = OutboundQueue(capacity: 1, byteCapacity: 1)
            let session = HTTPPushBrokerClient.short.publisher(
                for: try pushConnection(port: server.port), queue: queue, outcomes: TestOutcomes())
            session.stop(grace: .seconds(5))
            #expect(try SessionThread(session).end(within: 2) == .stopped)
            for _ in 0..<3 {
                let thread = SessionThread(session)
                try thread.awaitOpen()
                #expect(thread.observer.state.current.steps == [.resolve, .connect, .serve])
                #expect(try thread.stop() == .stopped)
            }
        }

        @Test("a request without an answer is refused with 408 and ends the session; the rest goes back to the queue")
        func timeout() throws {
            let server = try HTTPTestServer { _ in .silence }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port, settings: ["idleTimeout": "300ms"]))
            try run.send("POST:/first")
            try run.send("POST:/second")
            let failure = try run.session.failure()
            #expect(failure.reason == "timeout" && failure.step == .serve && failure.reaction == .backOff)
            #expect(run.refusals.map(\.reason) == ["timeout"] && run.refusals.map(\.status) == [408])
            #expect(run.queue.load.messages == 1)
        }

        @Test("the slow answer of one request does not take those of the others away")
        func others() throws {
            let server = try HTTPTestServer { request in
                request.target == "/silent" ? .silence : .late(600, .answer())
            }
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(port: server.port, settings: ["idleTimeout": "400ms", "parallelism": "2"]))
            try run.send("PUT:/silent")
            try server.await(1)
            let queue = run.queue
            after(0.2) { queue.offerQuietly("PUT:/late") }
            _ = try run.session.failure()
            try server.await(2)
            let ends = run.outcomes.state.current
            #expect(ends.refused.contains { $0.address == "PUT:/silent" })
            #expect(ends.answers.count + ends.refused.count + run.queue.load.messages == 2)
        }

        @Test("a PUT whose connection broke is sent once more, a POST is not", arguments: ["PUT", "POST"])
        func lost(_ method: String) throws {
            let server = try HTTPTestServer { request in request.connection <= 1 ? .hangUp : .answer() }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send("\(method):/a")
            try run.awaitEnds(1)
            try run.send("\(method):/b")
            try run.awaitEnds(2)
            try run.session.stop()
            let isRepeated = method == "PUT"
            #expect(server.record.current.requests.count == (isRepeated ? 3 : 2))
            #expect(run.answers.count == (isRepeated ? 2 : 1))
            #expect(run.refusals.map(\.reason) == (isRepeated ? [] : ["connection-lost"]))
        }

        @Test("a server that hangs up for ever costs a PUT two attempts")
        func hopeless() throws {
            let server = try HTTPTestServer { _ in .hangUp }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send("PUT:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(run.refusals.map(\.status) == [503] && server.record.current.requests.count == 2)
        }

        @Test("a stop with a request under way waits no longer than its grace")
        func stop() throws {
            let server = try HTTPTestServer { _ in .silence }
            defer { server.stop() }
            let run = try PushRun(try pushConnection(port: server.port))
            try run.send("POST:/a")
            try run.send("POST:/b")
            try server.await(1)
            #expect(try run.session.stop(grace: .milliseconds(200)) == .stopped)
            #expect(run.refusals.map(\.reason) == ["connection-lost"] && run.queue.load.messages == 1)
        }

        @Test("there is no consumer, and the probe sends nothing")
        func probe() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let connection = try pushConnection(port: server.port)
            let client = HTTPPushBrokerClient.short
            let failure = try SessionThread(client.consumer(for: connection, inlet: TestInlet())).failure()
            #expect(failure.reason == "no-sources" && failure.reaction == .misconfigured)
            let observer = TestObserver()
            #expect(client.probe(connection, timeout: .seconds(5), observer: observer) == .stopped)
            #expect(observer.state.current.openings == 1 && observer.state.current.steps == [.resolve, .connect])
            #expect(server.record.current.requests.isEmpty)
        }

        // MARK: Who we are

        @Test("user and password become basic authentication, in place of a mapped header")
        func basic() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(try pushConnection(user: "jöe", password: "p:w", port: server.port))
            try run.send("POST:/a", headers: [("authorization", "mine")])
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(server.record.current.requests[0].header("authorization") == "Basic asO2ZTpwOnc=")
            #expect(server.record.current.requests[0].headers.filter { $0.name == "authorization" }.count == 1)
        }

        @Test("requests are signed over what is sent")
        func signed() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(
                    port: server.port,
                    credentials: [
                        "type": "hmac", "algorithm": "aws4-hmac-sha256",
                        "parameters": [
                            "region": "us-east-1", "service": "service", "accessKey": "AKIDEXAMPLE",
                            "secretKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                            "xAmzContentSha256": "INCLUDED",
                        ],
                    ]))
            try run.send("POST:/a?x=1", "abc")
            try run.awaitEnds(1)
            try run.session.stop()
            let request = try #require(server.record.current.requests.first)
            #expect(request.header("x-amz-date") == "20270115T080000Z")
            #expect(
                request.header("x-amz-content-sha256")
                    == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
            let start =
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-content-sha256, Signature="
            #expect(request.header("authorization")?.hasPrefix(start) == true)
        }

        @Test("a key that is not Base64 refuses every message, and says so")
        func unsigned() throws {
            let server = try HTTPTestServer()
            defer { server.stop() }
            let run = try PushRun(
                try pushConnection(
                    port: server.port,
                    credentials: [
                        "type": "hmac", "algorithm": "az-monitor-2016-04-01",
                        "parameters": ["workspaceId": "w", "sharedKey": "no!"],
                    ]))
            try run.send("POST:/a")
            try run.awaitEnds(1)
            try run.session.stop()
            #expect(run.refusals.map(\.reason) == ["bad-credentials"])
            #expect(run.refusals[0].detail == "The key in 'sharedKey' is not Base64.")
            #expect(server.record.current.requests.isEmpty)
        }
    }
}

extension OutboundQueue {
    /// Offers an empty message; a full queue is no matter.
    fileprivate func offerQuietly(_ address: String) {
        _ = offer(OutboundMessage(address: address, payload: [], qos: 0, target: 0, queuedAt: 0))
    }
}
