// What an end of a connection means and which reaction it calls for. The reason words are stable; metrics and status
// are built on them.

/// Classifies failures of AMQP 0.9.1 sessions.
enum AMQP091Failure {}
