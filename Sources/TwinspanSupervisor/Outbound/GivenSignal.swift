// A signal that somebody has written down instead of the engine making it: the input of `twinspan map --target` and of
// test cases. It may be seen as a whole, and what is known of its thing is what stands in its `extra`.
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// An event, message or live command as it is given to targets.
final class GivenSignal: Sendable {
    let kind: TargetTopic.Kind
    let thingID: ThingID
    /// Without `extra`, which only the topic of a target adds.
    let envelope: Envelope
    /// What is known of the thing.
    let thing: JSONValue?

    /// Throws when it is nothing that a target is given.
    init(_ envelope: Envelope) throws(TwinspanError) {
        let topic = envelope.topic
        let kind: TargetTopic.Kind? =
            switch (topic.channel, topic.criterion) {
            case (.twin, .events): .twinEvents
            case (.live, .events): .liveEvents
            case (.live, .commands): .liveCommands
            case (.live, .messages): .liveMessages
            default: nil
            }
        guard let kind, topic.group == .things, let id = try topic.thingID else {
            throw GeneralErrorTable.unknownTopicPath.error(
                "'\(topic.text)' is nothing that targets are given.",
                description: "Write an event, a message or a live command of one thing.")
        }
        self.kind = kind
        thingID = id
        thing = envelope.extra?.value
        var bare = envelope
        bare.extra = nil
        self.envelope = bare
    }
}
