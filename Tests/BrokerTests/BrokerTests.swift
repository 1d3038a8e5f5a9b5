// The suite that holds all tests which start brokers or count descriptors: one at a time, for they share the machine.
import Testing

@Suite("brokers", .serialized)
struct BrokerTests {}
