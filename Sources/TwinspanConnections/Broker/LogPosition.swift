// A place in a broker's log that the store keeps for us, so that the effect of a message and the memory of having read
// it are one commit (design: settlement, Kafka).

/// The next record that a reader takes from one partition.
public struct LogPosition: Sendable, Equatable {
    /// Who reads, within the connection; for Kafka the consumer group. Another name begins anew.
    public var reader: String
    public var topic: String
    public var partition: Int32
    /// Of the next record, not of the last.
    public var offset: Int64

    public init(reader: String, topic: String, partition: Int32, offset: Int64) {
        self.reader = reader
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}
