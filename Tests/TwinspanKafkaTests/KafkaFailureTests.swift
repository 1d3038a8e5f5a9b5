import Testing

@Suite("Kafka failures")
struct KafkaFailureTests {}
