// Scenarios of receiving and settling.
import TwinspanConnections

extension AdapterScenario {
    static let inbound: [AdapterScenario] = [
        AdapterScenario("messages arrive in order with their address, whatever their payload") { harness in
            let address = harness.address("order")
            let inlet = TestInlet()
            let session = SessionThread(try harness.consumer(id: "order", reading: address, inlet: inlet))
            try session.awaitOpen()
            let payloads = numbered(0..<300) + ["", "ä\u{0}ö", String(repeating: "x", count: 300_000)]
            try harness.send(payloads, to: address)
            try inlet.awaitCount(payloads.count)
            try require(inlet.payloads == payloads, "payloads differ")
            try require(inlet.state.current.received.allSatisfy { $0.address == address }, "addresses differ")
            try session.stop()
            try require(inlet.state.current.acknowledged == payloads.count, "not all were acknowledged")
        },
        AdapterScenario("a batch never has more messages than the inlet allows") { harness in
            let address = harness.address("limit")
            let inlet = TestInlet(batchLimits: (messages: 7, bytes: 1 << 20))
            let session = SessionThread(try harness.consumer(id: "limit", reading: address, inlet: inlet))
            try session.awaitOpen()
            try harness.send(numbered(0..<200), to: address)
            try inlet.awaitCount(200)
            try require(inlet.state.current.batchSizes.allSatisfy { $0 <= 7 }, "\(inlet.state.current.batchSizes)")
            try session.stop()
        },
        AdapterScenario("what is not committed comes again to the next session, and only that") { harness in
            let address = harness.address("held")
            let inlet = TestInlet()
            let session = SessionThread(try harness.consumer(id: "held", reading: address, inlet: inlet))
            try session.awaitOpen()
            try harness.send(numbered(0..<10), to: address)
            try inlet.awaitCount(10)
            try require(inlet.state.wait(5) { $0.acknowledged == 10 }, "not all were acknowledged")
            inlet.state.update { $0.mode = .hold }
            try harness.send(numbered(10..<20), to: address)
            try inlet.awaitCount(11)
            try session.stop(grace: .milliseconds(100))
            try require(inlet.state.current.givenBack > 0, "held messages must be counted as given back")

            let second = TestInlet()
            let next = SessionThread(try harness.consumer(id: "held", reading: address, inlet: second))
            try second.awaitCount(10)
            try next.stop()
            try require(second.payloads == numbered(10..<20), "\(second.payloads)")

            let third = TestInlet()
            let last = SessionThread(try harness.consumer(id: "held", reading: address, inlet: third))
            try last.awaitOpen()
            try harness.send(["end"], to: address)
            try third.awaitCount(1)
            try last.stop()
            try require(third.payloads == ["end"], "committed messages came again: \(third.payloads)")
        },
        AdapterScenario("a stop waits for the commit of what is held, and acknowledges it") { harness in
            let address = harness.address("grace")
            let inlet = TestInlet(.hold)
            let session = SessionThread(try harness.consumer(id: "grace", reading: address, inlet: inlet))
            try session.awaitOpen()
            try harness.send(["held"], to: address)
            try inlet.awaitCount(1)
            try require(inlet.state.wait(5) { $0.isHolding }, "the batch is not held")
            after(0.3) { inlet.state.update { $0.mode = .commit } }
            try require(try session.stop(grace: .seconds(5)) == .stopped, "a stop must end as stopped")
            try require(inlet.state.current.acknowledged == 1, "the held message was not acknowledged")
            let second = TestInlet()
            let next = SessionThread(try harness.consumer(id: "grace", reading: address, inlet: second))
            try next.awaitOpen()
            try next.stop()
            try require(second.payloads.isEmpty, "came again: \(second.payloads)")
        },
        AdapterScenario("a rejected batch ends the session and comes again") { harness in
            let address = harness.address("rejected")
            let inlet = TestInlet(.reject)
            let session = try harness.consumer(id: "rejected", reading: address, inlet: inlet)
            let thread = SessionThread(session)
            try thread.awaitOpen()
            try harness.send(numbered(0..<5), to: address)
            let failure = try thread.failure()
            try require(failure.reason == "not-taken" && failure.reaction == .awaitIntake, "\(failure)")
            let seen = inlet.payloads.count
            inlet.state.update { $0.mode = .commit }
            let second = SessionThread(session)
            try inlet.awaitCount(seen + 5)
            try second.stop()
            try require(Array(inlet.payloads[seen...]) == numbered(0..<5), "\(inlet.payloads)")
        },
        AdapterScenario("the backlog of a restarted broker arrives after a reconnect") { harness in
            let address = harness.address("restart")
            let inlet = TestInlet()
            let session = try harness.consumer(id: "restart", reading: address, inlet: inlet)
            let first = SessionThread(session)
            try first.awaitOpen()
            try harness.stopBroker()
            if harness.outlivesOutages {
                let isTold = first.observer.state.wait(10) { !$0.places.isEmpty }
                try require(isTold, "the outage is not told")
                try harness.startBroker()
                try harness.send(numbered(0..<50), to: address)
                try inlet.awaitCount(50)
                try require(first.observer.state.wait(10) { $0.places.isEmpty }, "the recovery is not told")
                try first.stop()
                try require(inlet.payloads == numbered(0..<50), "\(inlet.payloads)")
                return
            }
            let failure = try first.failure()
            try require(failure.reaction == harness.reactionToStop && failure.step == .serve, "\(failure)")
            try require(try SessionThread(session).failure().reason == "refused", "a dead broker must refuse")
            try harness.startBroker()
            try harness.send(numbered(0..<50), to: address)
            let second = SessionThread(session)
            try inlet.awaitCount(50)
            try second.stop()
            try require(inlet.payloads == numbered(0..<50), "\(inlet.payloads)")
        },
    ]
}
