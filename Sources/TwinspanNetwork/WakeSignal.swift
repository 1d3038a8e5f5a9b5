// A pipe by which other threads wake a thread that sleeps in poll(2). (An eventfd would be one descriptor less, but
// Swift's Glibc module lacks it.) The descriptors live as long as the last reference, so a late wake-up can never hit a
// descriptor number that belongs to something else by then.
import Glibc

/// Wakes a thread out of poll(2). `wake` may be called from any thread.
public final class WakeSignal: Sendable {
    /// For the poll set: readable after `wake` until `drain`.
    public let descriptor: Int32
    private let writingEnd: Int32

    /// Nil when the process has no descriptor left.
    public init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        (descriptor, writingEnd) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(descriptor)
        close(writingEnd)
    }

    /// Makes the descriptor readable. Never blocks: a full pipe is readable already.
    public func wake() {
        var byte: UInt8 = 1
        _ = write(writingEnd, &byte, 1)
    }

    /// Takes the wake-ups so far. Called by the woken thread before it looks at what there is to do; what more than a
    /// buffer of them leaves behind wakes it once more.
    public func drain() {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            _ = read(descriptor, buffer.baseAddress, buffer.count)
        }
    }
}
