// Takes every step of a session once and sends no request: a dry run over HTTP, and `twinspan check`.
import TwinspanConnections
import TwinspanNetwork

/// One trial of an http-push connection.
struct HTTPPushProbe {
    let fields: HTTPPushFields
    let timeout: Duration
    let loops: EventLoops
    let now: @Sendable () -> Int64

    /// Blocks the calling thread.
    func run(observer: any SessionObserver) -> SessionEnd {
        guard let wake = WakeSignal() else { return .failed(NetworkFailure.exhausted) }
        // The TCP connection may take 2 s of the 10 s of a dry run (spec/connectivity.md §8.3).
        let dialler = HTTPPushDialler(fields: fields, timeout: timeout, loops: loops, connectTimeout: timeout / 5)
        switch dialler.dial(control: SessionControl(), wake: wake, observer: observer, now: now) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .reached:
            if case .unusable(let problem) = fields.authentication {
                return .failed(HTTPPushFailure.unusableCredentials(problem))
            }
            observer.opened()
            return .stopped
        }
    }
}
