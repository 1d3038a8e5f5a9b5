import Testing
import TwinspanProtocol

@testable import TwinspanSupervisor

@Suite("Durable windows and paces")
struct DurableWindowTests {
    private let time = Timestamp(milliseconds: 5)

    @Test("the cursor moves only when everything before is over")
    func order() {
        var window = DurableWindow(cursor: 10)
        let numbers = [11, 12, 15].map { window.add($0, bytes: 2, time: time) }
        window.pass(16, isRecord: true)
        #expect((window.position, window.cursor, window.bytes, window.count) == (16, 10, 6, 3))
        window.settle(numbers[1], isOver: true)
        #expect((window.cursor, window.isCursorNews) == (10, false))
        window.settle(numbers[0], isOver: true)
        #expect((window.cursor, window.isCursorNews) == (12, true))
        window.settle(numbers[0], isOver: true)
        window.settle(numbers[2], isOver: true)
        #expect((window.cursor, window.position, window.bytes, window.isQuiet) == (16, 16, 0, true))
    }

    @Test("gaps move the cursor, but are no news")
    func gaps() {
        var window = DurableWindow(cursor: 10)
        window.pass(12, isRecord: false)
        #expect((window.cursor, window.isCursorNews) == (12, false))
        window.pass(11, isRecord: true)
        #expect((window.cursor, window.isCursorNews) == (12, false))
        window.pass(13, isRecord: true)
        #expect((window.cursor, window.isCursorNews) == (13, true))
    }

    @Test("what has to be sent again keeps the cursor, and old numbers mean nothing afterwards")
    func repetition() {
        var window = DurableWindow(cursor: 0)
        let numbers = (1...3).map { window.add($0, bytes: 1, time: time) }
        window.settle(numbers[0], isOver: true)
        window.settle(numbers[1], isOver: false)
        #expect(window.needsRepetition && !window.isQuiet)
        window.settle(numbers[2], isOver: true)
        #expect(window.isQuiet && window.cursor == 1)
        window.repeatFromCursor()
        #expect((window.position, window.count, window.needsRepetition) == (1, 0, false))
        let again = window.add(2, bytes: 1, time: time)
        window.settle(numbers[1], isOver: true)
        window.settle(numbers[2], isOver: true)
        #expect(window.cursor == 1)
        window.settle(again, isOver: true)
        #expect(window.cursor == 2)
    }

    @Test("a window of any length settles in any order")
    func long() {
        var window = DurableWindow(cursor: 0)
        var open: [Int] = []
        var random = SystemRandomNumberGenerator()
        for sequence in 1...5_000 {
            open.append(window.add(Int64(sequence), bytes: 1, time: time))
            if open.count > 100 {
                window.settle(open.remove(at: Int.random(in: 0..<open.count, using: &random)), isOver: true)
            }
        }
        for number in open.shuffled() { window.settle(number, isOver: true) }
        #expect((window.cursor, window.count, window.bytes) == (5_000, 0, 0))
    }

    @Test("a pace spends evenly and saves up no more than a tenth of a second")
    func pace() {
        var pace = SendPace(messagesPerSecond: 10)
        var now: UInt64 = 5_000_000_000
        #expect(pace.delay(at: now) == 0)
        pace.spend(1, at: now)
        #expect(pace.delay(at: now) == 0)
        pace.spend(1, at: now)
        #expect(pace.delay(at: now) == 100_000_000)
        now += 10_000_000_000
        pace.spend(5, at: now)
        #expect(pace.delay(at: now) == 400_000_000)
        #expect(SendPace(messagesPerSecond: 0).delay(at: 0) == 0)
    }
}
