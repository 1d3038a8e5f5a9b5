import Testing
import TwinspanConnections
import TwinspanTestSupport

@Suite("OutboundQueue")
struct OutboundQueueTests {
    private static func message(_ number: Int, bytes: Int = 1) -> OutboundMessage {
        OutboundMessage(
            address: "\(number)", payload: Array(repeating: 0, count: bytes), qos: 0, target: 0,
            queuedAt: UInt64(number))
    }

    private static func take(_ queue: OutboundQueue, _ limit: Int = 1_000_000) -> [String] {
        var taken: [OutboundMessage] = []
        queue.take(upTo: limit, into: &taken)
        return taken.map(\.address)
    }

    @Test("the newest is refused when there is no room for messages")
    func capacity() {
        let queue = OutboundQueue(capacity: 3, byteCapacity: 1_000)
        #expect((0..<5).map { queue.offer(Self.message($0)) } == [true, true, true, false, false])
        #expect(Self.take(queue, 1) == ["0"])
        #expect(queue.offer(Self.message(9)))
        #expect(!queue.offer(Self.message(10)))
        #expect(Self.take(queue) == ["1", "2", "9"])
        #expect(Self.take(queue).isEmpty)
    }

    @Test("bytes bound the queue too, but one message always fits an empty one")
    func bytes() {
        let queue = OutboundQueue(capacity: 100, byteCapacity: 100)
        #expect(queue.offer(Self.message(0, bytes: 500)))
        #expect(!queue.offer(Self.message(1)))
        #expect(Self.take(queue) == ["0"])
        #expect(queue.offer(Self.message(2, bytes: 60)))
        #expect(!queue.offer(Self.message(3, bytes: 41)))
        #expect(queue.offer(Self.message(4, bytes: 40)))
        #expect(queue.load.bytes == 100)
        #expect(queue.load.messages == 2)
        #expect(queue.load.oldestQueuedAt == 2)
    }

    @Test("of a batch as much is taken as fits")
    func batches() {
        let queue = OutboundQueue(capacity: 3, byteCapacity: 1_000)
        #expect(queue.offer(contentsOf: (0..<5).map { Self.message($0) }) == 3)
        #expect(queue.offer(contentsOf: []) == 0)
        #expect(Self.take(queue) == ["0", "1", "2"])
    }

    @Test("what is given back comes first, in its order, even into a full queue")
    func giveBack() {
        let queue = OutboundQueue(capacity: 4, byteCapacity: 1_000)
        for number in 0..<4 { _ = queue.offer(Self.message(number, bytes: 10)) }
        var window: [OutboundMessage] = []
        queue.take(upTo: 1, into: &window)
        queue.take(upTo: 2, into: &window)
        for number in 4..<7 { _ = queue.offer(Self.message(number, bytes: 10)) }
        queue.giveBack(window)
        #expect(queue.load.messages == 7)
        #expect(queue.load.bytes == 70)
        #expect(!queue.offer(Self.message(99)))
        queue.giveBack([])
        #expect(Self.take(queue) == ["0", "1", "2", "3", "4", "5", "6"])
        #expect(queue.load.bytes == 0)
    }

    @Test("the reader is woken once, and only when it said that it sleeps")
    func wake() {
        let queue = OutboundQueue(capacity: 10, byteCapacity: 1_000)
        let wakes = Watched(0)
        queue.onWake { wakes.update { $0 += 1 } }
        _ = queue.offer(Self.message(0))
        #expect(wakes.current == 0)
        #expect(!queue.prepareToSleep())
        _ = Self.take(queue)
        #expect(queue.prepareToSleep())
        _ = queue.offer(contentsOf: [Self.message(1), Self.message(2)])
        _ = queue.offer(Self.message(3))
        #expect(wakes.current == 1)
        _ = Self.take(queue)
        #expect(queue.prepareToSleep())
        queue.onWake(nil)
        _ = queue.offer(Self.message(4))
        #expect(wakes.current == 1)
    }

    @Test("a long run of offers and takes keeps order and counts")
    func longRun() {
        let queue = OutboundQueue(capacity: 50, byteCapacity: 1 << 20)
        var offered = 0
        var taken: [String] = []
        for step in 0..<5_000 {
            for _ in 0..<(step % 7) where queue.offer(Self.message(offered, bytes: step % 13)) { offered += 1 }
            taken += Self.take(queue, step % 5)
        }
        taken += Self.take(queue)
        #expect(taken == (0..<offered).map { "\($0)" })
        #expect(queue.load == (0, 0, nil))
    }
}
