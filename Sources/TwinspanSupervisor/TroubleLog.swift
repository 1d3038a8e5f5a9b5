// Messages that go nowhere are logged with their reason, but a broken device must not fill the log: per source and
// reason one line in ten seconds, which says how many others it stands for. The counters have them all.
import Logging
import Synchronization

/// Logs repeated trouble of one connection.
final class TroubleLog: Sendable {
    private struct Repeated {
        var nextAt: UInt64
        var suppressed: Int
    }

    private let repeated = Mutex<[String: Repeated]>([:])
    private let logger: Logger
    private let now: @Sendable () -> UInt64
    static let interval: UInt64 = 10_000_000_000

    /// - Parameter now: nanoseconds of a clock that never goes back.
    init(logger: Logger, now: @escaping @Sendable () -> UInt64) {
        self.logger = logger
        self.now = now
    }

    /// Logs unless a line with the same reason was logged a moment ago.
    func warn(_ message: Logger.Message, reason: String, _ metadata: @autoclosure () -> Logger.Metadata) {
        let time = now()
        let suppressed = repeated.withLock { repeated -> Int? in
            if let known = repeated[reason], known.nextAt > time {
                repeated[reason]?.suppressed += 1
                return nil
            }
            if repeated.count > 256 { repeated.removeAll() }
            let count = repeated[reason]?.suppressed ?? 0
            repeated[reason] = Repeated(nextAt: time + Self.interval, suppressed: 0)
            return count
        }
        guard let suppressed else { return }
        var facts = metadata()
        facts["reason"] = "\(reason)"
        if suppressed > 0 { facts["also"] = "\(suppressed) more" }
        logger.warning(message, metadata: facts)
    }
}
