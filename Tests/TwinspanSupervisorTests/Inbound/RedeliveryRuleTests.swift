import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// What the end of a signal means for its message (spec/connectivity.md §6.6).
@Suite("Redelivery rules")
struct RedeliveryRuleTests {
    enum Verdict: String, Sendable { case done, again, dead, interrupted }

    private static func word(_ verdict: SignalVerdict) -> Verdict {
        switch verdict {
        case .done: .done
        case .again: .again
        case .dead: .dead
        case .interrupted: .interrupted
        }
    }

    static let errors: [(Int, Verdict)] = [
        (304, .done), (400, .dead), (401, .dead), (403, .dead), (404, .dead), (408, .again), (409, .dead), (412, .done),
        (413, .dead), (415, .dead), (422, .dead), (424, .again), (429, .again), (431, .dead), (500, .again),
        (502, .again), (503, .again), (504, .again),
    ]

    @Test("an error runs the message again by its status", arguments: errors)
    func raised(_ status: Int, _ verdict: Verdict) {
        #expect(Self.word(SignalVerdict(TwinspanError(code: "x", status: status, message: ""))) == verdict)
    }

    @Test("what was not judged is no verdict")
    func interrupted() {
        for error in [ThingErrorTable.unavailable.error(), PolicyErrorTable.unavailable.error()] {
            #expect(SignalVerdict(error) == .interrupted)
        }
    }

    static let live: [(Int, Verdict)] = [
        (200, .done), (204, .done), (400, .done), (404, .done), (408, .again), (424, .done), (500, .done), (503, .done),
    ]

    @Test("whatever a device answers is an answer, only a timeout is not", arguments: live)
    func answered(_ status: Int, _ verdict: Verdict) throws {
        let response = LiveResponse(
            thingID: try ThingID("n:t"), action: .retrieve, path: .root, status: status, headers: DittoHeaders())
        #expect(Self.word(SignalVerdict(SignalEnd(answer: .live(response)))) == verdict)
        let acks = try Self.acknowledgements([("live-response", status), ("a:b", 200)])
        #expect(Self.word(SignalVerdict(SignalEnd(answer: acks))) == verdict)
    }

    static let aggregates: [([(String, Int)], Verdict)] = [
        ([("a:b", 200), ("twin-persisted", 204)], .done), ([("a:b", 404), ("twin-persisted", 204)], .dead),
        ([("a:b", 408), ("twin-persisted", 204)], .again), ([("a:b", 424)], .again), ([("a:b", 503)], .again),
        ([("a:b", 404), ("c:d", 500)], .again), ([("a:b", 500), ("c:d", 404)], .again), ([("a:b", 400)], .dead),
        ([("a:b", 412)], .dead), ([("live-response", 404), ("a:b", 409)], .dead), ([("a:b", 302)], .done),
    ]

    @Test("aggregated acknowledgements are looked into", arguments: aggregates)
    func aggregated(_ acks: [(String, Int)], _ verdict: Verdict) throws {
        #expect(Self.word(SignalVerdict(SignalEnd(answer: try Self.acknowledgements(acks)))) == verdict)
    }

    @Test("an answer that a target has issued is judged as any other acknowledgement")
    func issuedAnswer() throws {
        guard case .acknowledgements(var all) = try Self.acknowledgements([("live-response", 503)]) else { return }
        all.acknowledgements[0].headers[.connectionID] = .string("other")
        #expect(Self.word(SignalVerdict(SignalEnd(answer: .acknowledgements(all)))) == .again)
    }

    private static func acknowledgements(_ acks: [(String, Int)]) throws -> SignalAnswer {
        let thing = try ThingID("n:t")
        return .acknowledgements(
            Acknowledgements(
                thingID: thing, channel: .twin,
                acknowledgements: try acks.map {
                    Acknowledgement(label: try AckLabel($0.0), thingID: thing, channel: .twin, status: $0.1)
                }))
    }

    @Test("of several signals the worst counts, but running again is more than having died")
    func several() {
        var verdict = MessageVerdict()
        let error = TwinspanError(code: "x", status: 500, message: "")
        func word() -> Verdict {
            switch verdict.end {
            case .done: .done
            case .again: .again
            case .dead: .dead
            case .interrupted: .interrupted
            }
        }
        #expect(word() == .done)
        for (next, wanted) in [
            (SignalVerdict.dead(error), Verdict.dead), (.done, .dead), (.again(error), .again),
            (.dead(error), .again), (.interrupted, .interrupted),
        ] {
            verdict.take(next, .command, correlationID: nil)
            #expect(word() == wanted)
        }
    }

    @Test("waits double up to the longest")
    func delays() {
        let settings = InboxSettings()
        let waits = [1, 2, 3, 4, 8, 9, 10, 1_000].map { settings.delay(after: $0, jitter: 0.5) / .seconds(1) }
        #expect(waits.map { Int($0.rounded()) } == [1, 2, 4, 8, 128, 256, 300, 300])
        #expect(settings.delay(after: 1, jitter: 0) == .milliseconds(800))
    }
}
