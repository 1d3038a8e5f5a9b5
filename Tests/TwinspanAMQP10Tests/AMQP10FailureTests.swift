import Testing

@Suite("AMQP 1.0 failures")
struct AMQP10FailureTests {}
