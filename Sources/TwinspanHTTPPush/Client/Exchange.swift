// One request and its answer. The library calls on the event loop; the session's thread looks at the state under the
// lock and learns of the end through a callback.
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TwinspanConnections
import TwinspanNetwork

/// How an exchange ended.
enum ExchangeEnd: Sendable {
    case answered(BrokerAnswer)
    /// No answer came.
    case failed(ExchangeFailure)
}

/// Why no answer came.
struct ExchangeFailure: Error, Sendable {
    /// Whether the request may have reached the server.
    let wasSent: Bool
    /// Whether its time was over.
    let isTimeout: Bool
    let error: any Error
}

/// Collects an answer, up to a limit.
final class Exchange: HTTPClientResponseDelegate {
    typealias Response = Void

    private struct BodyTooLarge: Error {}
    private struct TimedOut: Error {}

    private struct State {
        var wasSent = false
        var isTimeout = false
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        var isBodyTooLarge = false
        /// Ends the wait for the body.
        var bodyTimer: Scheduled<Void>?
        var task: HTTPClient.Task<Void>?
    }

    private let state = Mutex(State())
    private let bodyLimit: Int
    private let bodyTimeout: Duration

    /// - Parameters:
    ///   - bodyLimit: the most bytes of an answer's body.
    ///   - bodyTimeout: for the body, once the head is there.
    init(bodyLimit: Int, bodyTimeout: Duration) {
        self.bodyLimit = bodyLimit
        self.bodyTimeout = bodyTimeout
    }

    /// Whether the head of the answer is there.
    var isAnswered: Bool { state.withLock { $0.head != nil } }

    /// To be called once, with what `execute` gave back.
    func began(_ task: HTTPClient.Task<Void>) { state.withLock { $0.task = task } }

    /// Ends the exchange because its time is over; the end comes through the task.
    func expire() {
        let task = state.withLock { state in
            state.isTimeout = true
            return state.task
        }
        task?.fail(reason: TimedOut())
    }

    /// Ends the exchange because nobody wants it any more.
    func cancel() { state.withLock { $0.task }?.cancel() }

    /// What the end of the task means.
    func end(_ result: Result<Void, any Error>) -> ExchangeEnd {
        let timer = state.withLock { $0.bodyTimer.take() }
        timer?.cancel()
        return state.withLock { state in
            state.task = nil
            guard let head = state.head else {
                let error: any Error =
                    if case .failure(let error) = result { error } else { HTTPClientError.remoteConnectionClosed }
                return .failed(
                    ExchangeFailure(wasSent: state.wasSent, isTimeout: state.isTimeout, error: error))
            }
            var answer = BrokerAnswer(
                status: Int(head.status.code), headers: head.headers.map { ($0.name.lowercased(), $0.value) },
                body: state.body)
            if case .failure(let error) = result {
                answer.body = []
                answer.bodyProblem =
                    if state.isBodyTooLarge {
                        "its body has more than \(bodyLimit) bytes"
                    } else if state.isTimeout {
                        "its body was not complete in time"
                    } else {
                        "its body broke off (\(HTTPPushFailure.words(error)))"
                    }
            }
            return .answered(answer)
        }
    }

    // MARK: Called by the library

    func didSendRequestHead(task: HTTPClient.Task<Void>, _ head: HTTPRequestHead) {
        state.withLock { $0.wasSent = true }
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        // The session's thread watches over the head only; waking it for each would cost more than this timer.
        let timer = task.eventLoop.scheduleTask(in: TimeAmount(bodyTimeout)) { self.expire() }
        let isTooLarge = state.withLock { state in
            state.head = head
            state.bodyTimer = timer
            let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
            state.isBodyTooLarge = length > bodyLimit
            return state.isBodyTooLarge
        }
        return isTooLarge ? task.eventLoop.makeFailedFuture(BodyTooLarge()) : task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let isTooLarge = state.withLock { state in
            if state.isBodyTooLarge { return true }
            state.isBodyTooLarge = state.body.count + buffer.readableBytes > bodyLimit
            if state.isBodyTooLarge { return true }
            state.body.append(contentsOf: buffer.readableBytesView)
            return false
        }
        return isTooLarge ? task.eventLoop.makeFailedFuture(BodyTooLarge()) : task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {}
}
