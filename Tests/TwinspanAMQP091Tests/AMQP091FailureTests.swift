import Testing

@Suite("AMQP 0.9.1 failures")
struct AMQP091FailureTests {}
