// Where a request came from.
import Hummingbird
import Logging
import NIOCore

/// The context of a request: less than Hummingbird's own, because nothing else of it is used here.
struct RequestOrigin: InitializableFromSource, Sendable {
    /// The client's connection; nil when a request is made in memory.
    let channel: (any Channel)?
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }

    init(logger: Logger) {
        channel = nil
        self.logger = logger
    }

    /// The address as failed logins are counted.
    var addressKey: UInt64 { NetworkAddress.key(of: channel?.remoteAddress) }
}
