// Sends requests until a stop or a failure. Confined to the session's thread. A turn handles what has ended, starts
// what may start, and sleeps until a request ends, the queue fills, a deadline or a stop comes.  What is sent again,
// and what is not (spec/connectivity-bindings.md §5.2 leaves it open): - A request that never left (no connection, no
// handshake) goes back to the queue and waits for the next session. - One that left and got no answer because its
// connection broke is sent once more when its method is idempotent (RFC 9110 §9.2.2). A POST or PATCH may have had its
// effect, so it is refused, as a failed publication. - A 401 after a token was taken back is answered by one more
// attempt with a new token: nothing has happened yet. - Every other answer is an answer, whatever its status; a
// durable target repeats by itself what has failed.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Serves an open session.
final class HTTPPushLink {
    /// The most bytes of bodies under way, all of which the library holds.
    private static let maximumBytes = 8 << 20

    private let fields: HTTPPushFields
    private let client: PushClient
    private let limits: HTTPPushBrokerClient.Limits
    private let loops: EventLoops
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let observer: any SessionObserver
    private let control: SessionControl
    private let wake: WakeSignal
    private let now: @Sendable () -> Int64

    private let ends: FlightEnds
    private var flights: [Int: Flight] = [:]
    private var bytesUnderWay = 0
    private var nextID = 0
    /// Taken from the queue and not yet sent.
    private var waiting: [Attempt] = []
    private var taken: [OutboundMessage] = []
    private var token: AccessToken?
    /// Whether nothing can be sent any more, because a stop cut short the fetching of a token.
    private var isStarved = false

    init(
        fields: HTTPPushFields, client: PushClient, token: AccessToken?, limits: HTTPPushBrokerClient.Limits,
        loops: EventLoops, queue: OutboundQueue, outcomes: any PublishOutcomes, observer: any SessionObserver,
        control: SessionControl, wake: WakeSignal, now: @escaping @Sendable () -> Int64
    ) {
        self.fields = fields
        self.client = client
        self.token = token
        self.limits = limits
        self.loops = loops
        self.queue = queue
        self.outcomes = outcomes
        self.observer = observer
        self.control = control
        self.wake = wake
        self.now = now
        ends = FlightEnds(wake: wake)
    }

    /// Sends until a stop or a failure, then gives back what was not sent.
    func serve() -> SessionEnd {
        while true {
            if let deadline = control.stopDeadline, deadline.hasPassed || isDone {
                windUp(until: .now)
                return .stopped
            }
            if let failure = settle() ?? start() {
                windUp(until: .after(limits.windUp))
                return .failed(failure)
            }
            expire()
            sleep(until: min(nextDeadline, control.stopDeadline ?? .never))
        }
    }

    /// Whether everything has been sent and answered.
    private var isDone: Bool {
        flights.isEmpty && (isStarved || waiting.isEmpty && queue.load.messages == 0)
    }

    private var isFull: Bool { flights.count >= fields.parallelism || bytesUnderWay >= HTTPPushLink.maximumBytes }

    // MARK: Starting

    private func start() -> BrokerFailure? {
        while !isFull, !isStarved {
            if waiting.isEmpty {
                queue.take(upTo: fields.parallelism - flights.count, into: &taken)
                waiting = taken.map { Attempt(message: $0) }
                taken.removeAll(keepingCapacity: true)
                if waiting.isEmpty { return nil }
            }
            do throws(BrokerFailure) {
                guard try hasToken() else {
                    isStarved = true
                    return nil
                }
                try send(waiting.removeFirst())
            } catch {
                return error
            }
        }
        return nil
    }

    /// Fetches a token where one is needed and the present one does not last; false when a stop came instead.
    private func hasToken() throws(BrokerFailure) -> Bool {
        guard case .token(let settings) = fields.authentication else { return true }
        if token?.isFresh(at: now()) == true { return true }
        token = nil
        let fetch = TokenFetch(fields: fields, settings: settings, timeout: limits.dial, loops: loops)
        switch fetch.run(control: control, wake: wake) {
        case .reached(let fetched):
            guard fetched.isFresh(at: now()) else {
                throw HTTPPushFailure.invalidToken(settings.endpoint.text, detail: "the token has expired already")
            }
            token = fetched
            return true
        case .stopped: return false
        case .failed(let failure): throw failure
        }
    }

    private func send(_ attempt: Attempt) throws(BrokerFailure) {
        let request: PushRequest
        do throws(PublishRefusal) {
            request = try PushRequest(attempt.message, fields: fields, token: token?.text.exposed, now: now())
        } catch {
            outcomes.refused(attempt.message, error)
            return
        }
        let id = nextID
        nextID += 1
        do {
            let exchange = try client.send(
                request, bodyLimit: limits.answerBytes, bodyTimeout: limits.answerBody
            ) { [ends] in ends.add(id, $0) }
            flights[id] = Flight(
                attempt: attempt, exchange: exchange, isIdempotent: request.isIdempotent, token: token,
                deadline: .after(fields.idleTimeout))
            bytesUnderWay += attempt.message.payload.count
        } catch {
            outcomes.refused(
                attempt.message,
                PublishRefusal(reason: "invalid-topic", detail: HTTPPushFailure.words(error), status: 400))
        }
    }

    // MARK: Ends

    /// Tells what became of the requests that have ended; a failure ends the session.
    private func settle() -> BrokerFailure? {
        var failure: BrokerFailure?
        for (id, end) in ends.take() {
            guard let flight = flights.removeValue(forKey: id) else { continue }
            bytesUnderWay -= flight.attempt.message.payload.count
            switch end {
            case .answered(let answer): answered(flight, answer)
            case .failed(let cause): failure = failed(flight, cause) ?? failure
            }
        }
        return failure
    }

    private func answered(_ flight: Flight, _ answer: BrokerAnswer) {
        let isTokenRefused = answer.status == 401 && flight.token != nil && !flight.attempt.hasNewToken
        guard isTokenRefused else {
            outcomes.answered(flight.attempt.message, with: answer)
            return
        }
        // Another request may have brought a new token already.
        if token == flight.token { token = nil }
        var attempt = flight.attempt
        attempt.hasNewToken = true
        waiting.insert(attempt, at: 0)
    }

    /// Returns the failure of the session, if it is one.
    private func failed(_ flight: Flight, _ cause: ExchangeFailure) -> BrokerFailure? {
        if cause.isTimeout {
            let failure = HTTPPushFailure.requestTimedOut(peer: fields.peer, after: fields.idleTimeout)
            outcomes.refused(
                flight.attempt.message, PublishRefusal(reason: "timeout", detail: failure.message, status: 408))
            return failure
        }
        guard cause.wasSent else {
            waiting.insert(flight.attempt, at: 0)
            var failure = HTTPPushFailure.connect(cause.error, peer: fields.peer, limit: limits.dial)
            // The server was there a while ago: dial anew, its address may have changed.
            if failure.reaction == .backOff { failure.reaction = .retryNow }
            failure.step = .serve
            return failure
        }
        if flight.isIdempotent, !flight.attempt.isRepeated {
            var attempt = flight.attempt
            attempt.isRepeated = true
            waiting.insert(attempt, at: 0)
        } else {
            refuseLost(flight.attempt.message, cause.error)
        }
        return HTTPPushFailure.isTLS(cause.error)
            ? NetworkFailure.tls(peer: fields.peer, text: HTTPPushFailure.words(cause.error)) : nil
    }

    private func refuseLost(_ message: OutboundMessage, _ error: any Error) {
        outcomes.refused(
            message,
            PublishRefusal(
                reason: "connection-lost",
                detail: "\(fields.peer) closed the connection without an answer (\(HTTPPushFailure.words(error)))."))
    }

    // MARK: Time

    /// Ends requests whose time is over.
    private func expire() {
        for (id, flight) in flights where !flight.isExpired && flight.deadline.hasPassed {
            flights[id]?.isExpired = true
            // What has begun to answer is watched over by its exchange.
            if !flight.exchange.isAnswered { flight.exchange.expire() }
        }
    }

    private var nextDeadline: Deadline {
        flights.values.lazy.filter { !$0.isExpired }.map(\.deadline).min() ?? .never
    }

    private func sleep(until deadline: Deadline) {
        // With everything under way that may be, only an end gives us work; else the queue must know that we sleep.
        let mayBlock = isFull || isStarved || (waiting.isEmpty && queue.prepareToSleep())
        guard mayBlock, ends.isEmpty, !(control.isStopping && isDone) else { return }
        var descriptor = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&descriptor, 1, deadline.pollTimeout)
        if descriptor.revents != 0 { wake.drain() }
    }

    // MARK: The end of the session

    /// Waits for what is under way, ends the rest, and gives back what certainly was not processed.
    private func windUp(until limit: Deadline) {
        let deadline = min(limit, control.stopDeadline ?? .never)
        while !flights.isEmpty, !deadline.hasPassed, !control.isStopping {
            // Only the first failure counts.
            _ = settle()
            expire()
            if !flights.isEmpty { waitForEnds(until: min(deadline, nextDeadline)) }
        }
        for flight in flights.values { flight.exchange.cancel() }
        // The library answers a cancellation at once; the limit is for its sake only.
        let last = Deadline.after(.seconds(1))
        while !flights.isEmpty, !last.hasPassed {
            settleCancelled()
            if !flights.isEmpty { waitForEnds(until: last) }
        }
        for id in flights.keys.sorted() {
            guard let flight = flights[id] else { continue }
            giveUp(flight, ExchangeFailure(wasSent: true, isTimeout: true, error: Abandoned()))
        }
        flights.removeAll()
        queue.giveBack(waiting.map(\.message))
        waiting.removeAll()
    }

    private func waitForEnds(until deadline: Deadline) {
        guard ends.isEmpty else { return }
        var descriptor = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&descriptor, 1, deadline.pollTimeout)
        if descriptor.revents != 0 { wake.drain() }
    }

    private func settleCancelled() {
        for (id, end) in ends.take().sorted(by: { $0.id > $1.id }) {
            guard let flight = flights.removeValue(forKey: id) else { continue }
            switch end {
            case .answered(let answer): outcomes.answered(flight.attempt.message, with: answer)
            case .failed(let cause): giveUp(flight, cause)
            }
        }
    }

    private func giveUp(_ flight: Flight, _ cause: ExchangeFailure) {
        if !cause.wasSent || flight.isIdempotent {
            waiting.insert(flight.attempt, at: 0)
        } else {
            refuseLost(flight.attempt.message, cause.error)
        }
    }

    private struct Abandoned: Error, CustomStringConvertible {
        let description = "the connection was being closed"
    }
}
