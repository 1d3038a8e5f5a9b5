// What an end of a connection means and which reaction it calls for. The reason words are stable; metrics and status
// are built on them.

/// Classifies failures of AMQP 1.0 sessions.
enum AMQP10Failure {}
