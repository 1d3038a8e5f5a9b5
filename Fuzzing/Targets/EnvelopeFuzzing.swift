// Envelopes: reading, writing and reading again; what becomes of them as commands, answers and errors.
import TwinspanJSON
import TwinspanProtocol

/// The input is one message of the Ditto Protocol.
func fuzzEnvelope(_ input: [UInt8]) {
    do throws(EnvelopeFailure) {
        let envelope = try Envelope.parse(input)
        let bytes = envelope.bytes
        require(PlainJSON.canonical(bytes) == bytes, "not canonical: \(String(decoding: bytes, as: UTF8.self))")
        let again = try Envelope.parse(bytes)
        require(again == envelope, "\(String(decoding: bytes, as: UTF8.self)) is read again as \(again)")
        require(again.bytes == bytes, "written again as \(String(decoding: again.bytes, as: UTF8.self))")
        checkMembers(of: envelope, input)
        checkHeaders(envelope.headers)
        checkCommand(envelope)
    } catch {
        checkAnswer(error.error.envelope(topic: error.topic, headers: error.headers))
        if case .some(let tree) = try? JSONValue.parse(input), error.headers != DittoHeaders() {
            // A failure carries the sender's headers as far as they were readable.
            require(tree.object?["headers"]?.object != nil, "headers are made up: \(error.headers)")
        }
    }
}

/// The members are those that the tree of the message has.
private func checkMembers(of envelope: Envelope, _ input: [UInt8]) {
    // An envelope is a document; that it is none is reported by the next line.
    let tree = (try? JSONValue.parse(input))?.object
    require(tree != nil, "an envelope that is no object")
    guard let tree else { return }
    require(tree["value"]?.bytes == envelope.value?.bytes, "the value of \(envelope)")
    require(tree["extra"]?.bytes == envelope.extra?.bytes, "the extra of \(envelope)")
    require(tree["metadata"]?.bytes == envelope.metadata?.bytes, "the metadata of \(envelope)")
    require(tree["timestamp"]?.string == envelope.timestamp, "the timestamp of \(envelope)")
    require(tree["revision"]?.int64 == envelope.revision, "the revision of \(envelope)")
    require(tree["fields"]?.string == envelope.fields?.text, "the fields of \(envelope)")
    if let status = envelope.status { require(tree["status"]?.int64 == Int64(status), "the status of \(envelope)") }
}

private func checkHeaders(_ headers: DittoHeaders) {
    let accepted = headers.acceptedFromOutside()
    require(accepted.acceptedFromOutside() == accepted, "accepting headers twice: \(headers)")
    let delivered = headers.deliveredToOutside()
    require(delivered.deliveredToOutside() == delivered, "delivering headers twice: \(headers)")
    require(headers.byteCount >= accepted.byteCount, "headers have grown: \(headers)")
    for entry in headers.entries { require(headers[entry.name] != nil, "the header \(entry.name) is not found") }
    do throws(TwinspanError) {
        try headers.checkValues()
    } catch {
        checkError(error)
    }
}

private func checkCommand(_ envelope: Envelope) {
    do throws(TwinspanError) {
        let command = try ThingCommand(envelope)
        require(command.resource.path == envelope.path, "the resource of \(envelope)")
        require(command.thingID.text == envelope.topic.entityID, "the id of \(envelope)")
        let success = ThingResponse(
            status: 200, value: envelope.value, revision: 7, etag: "\"rev:7\"", action: command.action)
        checkAnswer(command.envelope(of: success))
        let event = ThingEvent(
            thingID: command.thingID, action: .modified, path: envelope.path, value: envelope.value, revision: 7,
            timestamp: Timestamp(milliseconds: 1_704_551_022_123))
        checkAnswer(event.envelope(headers: envelope.headers.deliveredToOutside()))
    } catch {
        checkAnswer(error.envelope(topic: envelope.topic, headers: envelope.headers))
    }
}

/// Whatever we send must be an envelope to others.
private func checkAnswer(_ answer: Envelope) {
    let bytes = answer.bytes
    require(PlainJSON.canonical(bytes) == bytes, "not canonical: \(String(decoding: bytes, as: UTF8.self))")
    do throws(EnvelopeFailure) {
        let again = try Envelope.parse(bytes)
        require(again.bytes == bytes, "\(String(decoding: bytes, as: UTF8.self)) is read differently")
    } catch {
        require(false, "our own answer is refused: \(error.error), \(String(decoding: bytes, as: UTF8.self))")
    }
}
