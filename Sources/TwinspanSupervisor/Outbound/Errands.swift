// What a connection's way out does beside signals: announcements, answers of other connections, and work of slow
// mappers. Bounded; whoever finds it full counts what he could not leave here.
import Synchronization
import TwinspanJSON
import TwinspanProtocol

/// The inbox of errands. Safe from any thread.
final class Errands: Sendable {
    enum Errand: Sendable {
        case announcement(Announcement)
        case diverted(DivertedAnswer)
        case work(@Sendable () -> Void)

        fileprivate var bytes: Int {
            guard case .diverted(let answer) = self else { return 256 }
            return 256 + (answer.envelope.value?.bytes.count ?? 0)
        }
    }

    static let countMax = 4_000
    static let bytesMax = 16 << 20

    private let waiting = Mutex<(errands: [Errand], bytes: Int)>(([], 0))

    /// False when there is no place.
    func add(_ errand: Errand) -> Bool {
        let bytes = errand.bytes
        return waiting.withLock { waiting in
            guard waiting.errands.count < Self.countMax, waiting.bytes < Self.bytesMax else { return false }
            waiting.errands.append(errand)
            waiting.bytes += bytes
            return true
        }
    }

    func take() -> [Errand] {
        waiting.withLock { waiting in
            guard !waiting.errands.isEmpty else { return [] }
            defer { waiting = ([], 0) }
            return waiting.errands
        }
    }
}
