import Testing

@Suite("HTTP push failures")
struct HTTPPushFailureTests {}
