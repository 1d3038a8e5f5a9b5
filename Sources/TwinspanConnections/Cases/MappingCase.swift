// A test case of a mapping: what comes in, and what is to come of it. Cases stand in `NAME.test.yaml` beside the
// connections of `NAME.yaml`.
public import TwinspanJSON
public import TwinspanProtocol

/// One test case, checked against its connection.
public struct MappingCase: Sendable {
    /// What the case gives to the connection.
    public enum Input: Sendable {
        case message(Message)
        case signal(Signal)
    }

    /// A message of a broker for a source.
    public struct Message: Sendable {
        /// Counted from 0; the connection has it.
        public var source: Int
        public var address: String
        public var qos: UInt8
        public var headers: [(name: String, value: String)]
        public var payload: [UInt8]
    }

    /// A signal for a target.
    public struct Signal: Sendable {
        /// Counted from 0; the connection has it.
        public var target: Int
        /// A Ditto Protocol message as JSON.
        public var envelope: [UInt8]
    }

    /// What one resulting message has to be.
    public struct Pattern: Sendable {
        /// Whether the message may have more than is named.
        public var isPartial: Bool
        public var value: JSONValue
    }

    /// What is to come of the input.
    public struct Expectation: Sendable {
        /// One per resulting message, in order; nil when the case says nothing about them.
        public var messages: [Pattern]?
        /// Nothing comes of it, and that is no error.
        public var isDropped = false
        /// The code of the error that has to occur.
        public var errorCode: String?
    }

    public let name: String
    public let file: String
    /// Counted from 1.
    public let line: Int
    public let connection: Connection
    public let input: Input
    /// What the clock says.
    public let time: Timestamp
    public let expectation: Expectation

    /// What the clock says unless the case gives a time: 2026-01-01T00:00:00Z.
    public static let standardTime = Timestamp(milliseconds: 1_767_225_600_000)
}
