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
        checkSignal(envelope)
        checkCommand(envelope)
    } catch {
        checkAnswer(error.error.envelope(topic: error.topic, headers: error.headers))
        // Headers are only known of what is a document at all.
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
        return
    }
    // What was let pass does not throw again.
    do throws(TwinspanError) {
        _ = try (headers.requestedAcks, headers.declaredAcks, headers.timeoutMilliseconds, headers.channel)
        _ = try (headers.liveChannelTimeoutStrategy, headers.isDryRun, headers.allowsPolicyLockout, headers.policyView)
        _ = try (headers.historicalRevision, headers.historicalTimestamp, headers.timestamp)
    } catch {
        require(false, "headers pass, but are refused later: \(error), \(headers)")
    }
}

/// A signal writes an envelope that is the same signal again.
private func checkSignal(_ envelope: Envelope) {
    do throws(TwinspanError) {
        let signal = try Signal(envelope)
        let canonical = signal.envelope
        checkAnswer(canonical)
        do throws(TwinspanError) {
            let again = try Signal(canonical).envelope
            require(again.bytes == canonical.bytes, "\(canonical) becomes \(again)")
        } catch {
            require(false, "\(canonical) of \(envelope) is refused: \(error)")
        }
        if case .message(let message) = signal { checkPayload(of: message) }
        // Whether it may come from outside is decided by its kind; the error is checked as any other.
        try signal.checkIsAcceptedFromOutside()
    } catch {
        checkAnswer(error.envelope(topic: envelope.topic, headers: envelope.headers))
    }
}

/// The payload as bytes, put into an envelope again, gives the same bytes.
private func checkPayload(of message: Message) {
    let bytes = message.payloadBytes
    require(message.payloadByteCount >= 0, "the size of \(message)")
    do throws(TwinspanError) {
        let value = try message.payload.value(of: bytes)
        require(message.payload.bytes(of: value) == bytes, "the payload of \(message) becomes \(value ?? .null)")
    } catch {
        // Bytes that are no JSON cannot be a JSON payload; everything else can be carried.
        require(PlainJSON.canonical(bytes) == nil, "\(error) for \(message)")
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

private func signal(_ envelope: Envelope) throws(EnvelopeFailure) -> Signal {
    do throws(TwinspanError) {
        return try Signal(envelope)
    } catch {
        throw EnvelopeFailure(error: error)
    }
}

/// Whatever we send must be an envelope to others.
private func checkAnswer(_ answer: Envelope) {
    let bytes = answer.bytes
    require(PlainJSON.canonical(bytes) == bytes, "not canonical: \(String(decoding: bytes, as: UTF8.self))")
    do throws(EnvelopeFailure) {
        let again = try Envelope.parse(bytes)
        require(again.bytes == bytes, "\(String(decoding: bytes, as: UTF8.self)) is read differently")
        // As a signal it was checked by whoever made it; an error has to be one whatever it answers. The sender's
        // headers are given back to him as they are, so they may be illegal; that is no finding.
        guard case .errors = answer.topic.criterion, (try? answer.headers.checkValues(isCommand: false)) != nil else {
            return
        }
        _ = try signal(again)
    } catch {
        require(false, "our own answer is refused: \(error.error), \(String(decoding: bytes, as: UTF8.self))")
    }
}
