import Testing

@testable import TwinspanEngine

@Suite("commit latency")
struct EngineMetricsTests {
    @Test("there is no percentile without commits, and none between two equal readings")
    func nothing() {
        let metrics = EngineMetrics()
        #expect(metrics.snapshot.commitMilliseconds(percentile: 0.99) == nil)
        metrics.committed(changes: 1, oldestWaited: 150)
        #expect(metrics.snapshot.commitMilliseconds(percentile: 0.99, since: metrics.snapshot) == nil)
    }

    @Test("a percentile lies within its bucket, in milliseconds")
    func buckets() throws {
        let metrics = EngineMetrics()
        for _ in 0..<98 { metrics.committed(changes: 1, oldestWaited: 150) }
        for _ in 0..<2 { metrics.committed(changes: 1, oldestWaited: 3_000) }
        let median = try #require(metrics.snapshot.commitMilliseconds(percentile: 0.5))
        #expect((0.1...0.2).contains(median))
        let high = try #require(metrics.snapshot.commitMilliseconds(percentile: 0.99))
        #expect((1.6...3.2).contains(high))
        let earlier = metrics.snapshot
        metrics.committed(changes: 1, oldestWaited: 90)
        let since = try #require(metrics.snapshot.commitMilliseconds(percentile: 0.99, since: earlier))
        #expect(since <= 0.1)
    }

    @Test("what is slower than every bound is shown as the last bound")
    func beyond() {
        let metrics = EngineMetrics()
        metrics.committed(changes: 1, oldestWaited: 10_000_000)
        #expect(metrics.snapshot.commitMilliseconds(percentile: 0.99) == 1_638.4)
    }
}
