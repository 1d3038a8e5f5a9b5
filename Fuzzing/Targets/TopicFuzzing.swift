// Topics and ids: reading, writing and reading again.
import TwinspanJSON
import TwinspanProtocol

/// The input is a topic; it is tried as an id and as the values of some headers too.
func fuzzTopic(_ input: [UInt8]) {
    guard let written = text(input) else { return }
    checkTopic(written)
    checkIDs(written)
    if let instant = Timestamp(parsing: written) {
        // Years of four digits are written as they were read; only an offset can lead beyond them.
        let again = Timestamp(parsing: instant.iso8601)
        require(again == nil || again == instant, "\(written) is written as \(instant.iso8601)")
    }
    if let decoded = Base64.decode(written) {
        require(Base64.decode(Base64.encode(decoded)) == decoded, "\(written) is encoded differently")
    }
    if let milliseconds = HeaderDuration.milliseconds(written) {
        require(milliseconds >= 0, "a negative duration of \(written)")
    }
}

private func checkTopic(_ written: String) {
    do throws(TwinspanError) {
        let topic = try TopicPath(written)
        // Segments behind an action are ignored, everything else is kept.
        require(written.utf8.starts(with: topic.text.utf8), "\(written) is written as \(topic.text)")
        let again = try TopicPath(topic.text)
        require(again == topic, "\(topic.text) is read again as \(again)")
        require(topic.criterion.text.utf8.starts(with: topic.criterion.word.utf8), "\(topic.criterion)")
        if topic.group != .things { require(topic.channel == nil, "the channel of \(written)") }
        checkEnvelope(of: topic)
    } catch {
        require(error.code == "protocoladapter:unknown.topicpath", "\(written) is refused with \(error)")
        checkError(error)
    }
}

/// The topic as the JSON string of an envelope must be read as the same topic.
private func checkEnvelope(of topic: TopicPath) {
    let bytes = Envelope(topic: topic, path: .root).bytes
    do throws(EnvelopeFailure) {
        let again = try Envelope.parse(bytes)
        require(again.topic == topic, "\(topic.text) is read from an envelope as \(again.topic.text)")
    } catch {
        require(false, "the envelope of \(topic.text) is refused: \(error.error)")
    }
}

private func checkIDs(_ written: String) {
    do throws(TwinspanError) {
        let id = try ThingID(written)
        require(id.text == written, "\(written) becomes \(id.text)")
        require("\(id.namespace):\(id.name)".utf8.elementsEqual(written.utf8), "\(written) is split wrongly")
    } catch {
        require(error.status == 400, "\(error)")
        checkError(error)
    }
    // Labels have no offset to check; that no text traps is what is looked for.
    guard let label = try? AckLabel(written) else { return }
    require(label.text == written, "\(written) becomes \(label)")
}

/// An error must be readable JSON wherever it is sent, however strange the text it quotes is.
func checkError(_ error: TwinspanError) {
    require((400..<600).contains(error.status), "\(error)")
    let bytes = error.envelope(topic: nil, headers: DittoHeaders()).bytes
    require(PlainJSON.canonical(bytes) == bytes, "not canonical: \(String(decoding: bytes, as: UTF8.self))")
}
