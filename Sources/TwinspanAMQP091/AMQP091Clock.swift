// The time of day, for the words of a status only.
import Glibc
import TwinspanProtocol

/// Reads the system's clock.
enum AMQP091Clock {
    /// The present moment, in whole seconds.
    static var now: Timestamp { Timestamp(milliseconds: Int64(time(nil)) * 1000) }
}
