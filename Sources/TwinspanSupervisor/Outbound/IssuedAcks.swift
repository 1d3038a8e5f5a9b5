// Acknowledgements that a connection gives by itself: for what its broker has confirmed or refused
// (spec/connectivity.md §6.4), and weak ones for what its targets do not publish (§6.5).
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Gives acknowledgements to whoever waits for them.
struct IssuedAcks: Sendable {
    let live: LiveChannel
    let connection: Connection
    let claims: AckClaims
    let recorder: ConnectionRecorder

    init(live: LiveChannel, connection: Connection, claims: AckClaims, recorder: ConnectionRecorder) {
        self.live = live
        self.connection = connection
        self.claims = claims
        self.recorder = recorder
    }

    /// The labels of the connection; `live-response` is nobody's.
    static func labels(of connection: Connection) -> Set<AckLabel> {
        let issued = connection.targets.compactMap(\.issuedAcknowledgementLabel).filter { !$0.isBuiltIn }
        return Set(connection.sources.flatMap(\.declaredAcks)).union(issued)
    }

    /// What the broker's confirmation counts as.
    private var confirmedStatus: Int {
        switch connection.type {
        case .kafka, .hono: 204
        case .mqtt, .mqtt5, .amqp091, .amqp10, .httpPush: 200
        }
    }

    /// Acknowledges for a target: the broker has the messages, or the error says why not.
    func settle(_ acknowledgement: DeliveryReceipt.Acknowledgement, target: Int, failure: TwinspanError?) {
        var headers = DittoHeaders()
        headers.correlationID = acknowledgement.correlationID
        if failure != nil { headers[.contentType] = .string("application/json") }
        var result = Acknowledgement(
            label: acknowledgement.label, thingID: acknowledgement.thingID, channel: acknowledgement.channel,
            status: failure?.status ?? confirmedStatus, payload: failure.map { JSONText($0.jsonWithoutStatus) },
            headers: headers)
        result.group = acknowledgement.group
        issue(result, target: target, failure: failure)
    }

    /// Gives an acknowledgement of ours, and tells of it.
    func issue(_ result: Acknowledgement, target: Int, failure: TwinspanError?) {
        var refused: TwinspanError?
        do throws(TwinspanError) {
            try live.issue(result, by: connection.id)
        } catch {
            // Another session has the label; whoever waits hears of it from there, or not at all.
            refused = error
        }
        recorder.count(.target(target), .acknowledged, isFailure: refused != nil || failure != nil)
        guard refused != nil || failure != nil || recorder.wantsSuccesses else { return }
        recorder.note(
            StageNote(
                .target(target), .acknowledged, isFailure: refused != nil || failure != nil,
                refused.map { "The acknowledgement was not accepted: \($0.message)" }
                    ?? failure.map { "The signal was acknowledged as failed: \($0.message)" }
                    ?? "The signal was acknowledged.",
                correlationID: result.headers.correlationID, entityType: result.group.entityType,
                entityID: result.thingID.text, reason: (refused ?? failure)?.code))
    }

    /// Acknowledges weakly for labels of this connection, unless another session has them.
    func acknowledgeWeakly(_ labels: [AckLabel], _ signal: OutgoingSignal, because reason: String) {
        guard !labels.isEmpty, claims.isHeld, let correlationID = signal.correlationID else { return }
        live.acknowledgeWeakly(
            labels, of: signal.thingID, channel: signal.channel, correlationID: correlationID, because: reason)
    }
}

extension TwinspanError {
    /// The error object without its status, which the acknowledgement has itself (§3.5).
    fileprivate var jsonWithoutStatus: JSONValue {
        guard var object = json.object else { return json }
        object.remove("status")
        return .object(object)
    }
}
