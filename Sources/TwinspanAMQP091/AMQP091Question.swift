// One question to the broker and its answer, with everything that may come in between. Used while a session opens; an
// open session takes answers as they come.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// How a question ended.
enum AMQP091Answer {
    case yes
    /// The broker has closed the channel because of it.
    case no(code: Int, text: String)
    case stopped
    case failed(BrokerFailure)
}

extension RabbitMQConnection {
    /// Sends a method and waits for its answer on the channel. Whatever else comes is given to `other`.
    func ask(
        channel: UInt16, step: SessionStep, until deadline: Deadline, control: SessionControl?, wake: WakeSignal,
        other: (Event) -> Void, _ send: () -> RabbitMQStatus
    ) -> AMQP091Answer {
        let sent = send()
        guard sent == .success else { return .failed(AMQP091Failure.lost(sent, step: step)) }
        while true {
            var status = RabbitMQStatus.success
            while let event = next(&status) {
                switch event {
                case .answered(channel): return .yes
                case .channelClosed(channel, let code, let text):
                    _ = confirmChannelClose(channel)  // If it fails, the next call says so.
                    return .no(code: code, text: text)
                case .closed(let code, let text):
                    _ = confirmClose()  // The connection ends, whatever becomes of it.
                    return .failed(AMQP091Failure.closed(code: code, text: text, step: step))
                default: other(event)
                }
            }
            guard status == .timeout else { return .failed(AMQP091Failure.lost(status, step: step)) }
            if control?.isStopping == true { return .stopped }
            if deadline.hasPassed { return .failed(AMQP091Failure.lost(.timeout, step: step)) }
            sleep(until: deadline, wake: wake)
        }
    }

    /// Sleeps until the broker or another thread has something to say, the socket takes more if that is waited for, or
    /// the moment has come.
    func sleep(until deadline: Deadline, wake: WakeSignal, isWriting: Bool = false) {
        guard !hasBufferedInput else { return }
        withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            let events = Int16(POLLIN) | (isWriting ? Int16(POLLOUT) : 0)
            descriptors[0] = pollfd(fd: descriptor, events: events, revents: 0)
            descriptors[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(descriptors.baseAddress, 2, deadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
        }
    }
}
