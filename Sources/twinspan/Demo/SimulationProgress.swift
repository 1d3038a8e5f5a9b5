// What `twinspan simulate` shows while it runs.
import Glibc
import Synchronization
import TwinspanConnections

/// One line that is written again and again on a terminal; a line every five seconds elsewhere.
final class SimulationProgress: Sendable {
    private struct Last {
        var shownAt: UInt64 = 0
        var confirmed = 0
        var isLineOpen = false
    }

    private let isSilent: Bool
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let rate: Int
    private let last = Mutex(Last())

    init(isSilent: Bool, rate: Int) {
        self.isSilent = isSilent
        self.rate = rate
    }

    func show(published: Int, tally: FleetPublisher.Tally, now: UInt64) {
        let line = last.withLock { last -> String? in
            let interval: UInt64 = isTerminal ? 1_000_000_000 : 5_000_000_000
            guard !isSilent else { return nil }
            if last.shownAt == 0 { last.shownAt = now }
            guard now - last.shownAt >= interval else { return nil }
            let perSecond = Double(tally.confirmed - last.confirmed) / (Double(now - last.shownAt) / 1e9)
            last.shownAt = now
            last.confirmed = tally.confirmed
            last.isLineOpen = isTerminal
            let state = tally.isOpen ? "" : "   \(tally.failure?.message ?? "connecting")"
            return
                "published \(published)   confirmed \(tally.confirmed)   \(fixed(perSecond, 0))/s of \(rate)/s\(state)"
        }
        guard let line else { return }
        StandardOutput.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n")
    }

    /// Ends the line that was written again and again.
    func end() {
        if last.withLock({ $0.isLineOpen }) { StandardOutput.write("\r\u{1B}[K") }
    }
}
