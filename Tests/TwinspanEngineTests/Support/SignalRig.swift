import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// What one session has been answered; nil stands for "nothing is to be sent".
typealias Replies = Watched<[Envelope?]>

/// The one door for signals, with the text of envelopes on its outer side: in go envelopes, out come answers, events
/// and what subscribers of the live channel get. Things and policies are those of `LiveFixture`, and besides them
/// `n:bare`, which has a feature `e` with nothing in it, `n:empty`, which has nothing, and the policies `n:p` and
/// `n:owned` of `PolicySample`.
final class SignalRig: Sendable {
    let base: LiveFixture
    var rig: EngineRig { base.rig }
    var engine: TwinEngine { base.engine }

    init(limits: TwinLimits = TwinLimits()) throws {
        base = try LiveFixture(limits: limits)
        try base.fixture.make("n:bare", #"{"policyId":"n:policy","features":{"e":{}}}"#)
        try base.fixture.make("n:empty", #"{"policyId":"n:policy"}"#)
        try rig.makeImported(["n:base", "n:free"])
        try rig.policy(.create, "n:p", PolicySample.rich)
        try rig.policy(.create, "n:owned", PolicySample.owned)
    }

    /// What a session does with a message: errors of reading it are answered like those of carrying it out.
    @discardableResult
    func serve(
        _ text: String, as sender: AuthorizationContext = EngineRig.owner, from session: String = "session",
        _ kind: LiveResponder.Kind = .session
    ) throws -> Replies {
        let replies = Replies([])
        let responder = try base.responder(session, kind)
        let reply: SignalReply = { answer in replies.update { $0.append(answer) } }
        do throws(EnvelopeFailure) {
            let envelope = try Envelope.parse(Array(text.utf8))
            do throws(TwinspanError) {
                engine.serve(try Signal(envelope), as: sender, from: responder, reply: reply)
            } catch {
                let isWanted = envelope.headers.isResponseRequired
                reply(isWanted ? error.envelope(topic: envelope.topic, headers: envelope.headers) : nil)
            }
        } catch {
            reply(error.error.envelope(topic: error.topic, headers: error.headers))
        }
        return replies
    }

    /// The one answer to a message.
    func answer(
        _ text: String, as sender: AuthorizationContext = EngineRig.owner, from session: String = "session",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Envelope {
        try serve(text, as: sender, from: session).only(sourceLocation: sourceLocation)
    }

    /// Waits until a subscriber has so many signals, and takes them.
    static func deliveries(_ count: Int, of subscription: LiveSubscription) -> [Envelope] {
        for _ in 0..<5_000 where subscription.load.waiting < count { usleep(1_000) }
        return subscription.take().map(\.envelope)
    }

    /// The next events of things, as their subscribers get them.
    func events(_ count: Int) -> [Envelope] {
        var changes: [TwinChange] = []
        for _ in 0..<5_000 {
            changes += base.fixture.events.take()
            if changes.count >= count { break }
            usleep(1_000)
        }
        return changes.compactMap { change in
            guard case .thing(let event, _) = change.content else { return nil }
            return event.envelope(headers: change.eventHeaders)
        }
    }

    /// The text of an envelope. `headers` are the members of the object besides a correlation id and a custom header.
    static func text(
        _ topic: String, _ path: String = "/", _ value: String? = nil, headers: String = "", status: Int? = nil,
        fields: String? = nil
    ) -> String {
        let others = headers.isEmpty ? "" : ",\(headers)"
        var text = #"{"topic":"\#(topic)","path":"\#(path)","headers":{"correlation-id":"c","x-Own":"kept"\#(others)}"#
        if let value { text += #","value":\#(value)"# }
        if let status { text += #","status":\#(status)"# }
        if let fields { text += #","fields":"\#(fields)""# }
        return text + "}"
    }

    static let mergeType = #""content-type":"application/merge-patch+json""#
}

extension Watched where Value == [Envelope?] {
    /// The only answer, after a moment's patience; it must be an envelope.
    func only(sourceLocation: SourceLocation = #_sourceLocation) throws -> Envelope {
        _ = wait(10) { !$0.isEmpty }
        #expect(current.count == 1, sourceLocation: sourceLocation)
        return try #require(current.first ?? nil, sourceLocation: sourceLocation)
    }

    /// Whether it was told, once, that there is nothing to send.
    var isSilent: Bool {
        _ = wait(10) { !$0.isEmpty }
        return current.count == 1 && current[0] == nil
    }
}

extension Envelope {
    /// The code of an error envelope.
    var errorCode: String? { value?.value.object?["error"]?.string }
}
