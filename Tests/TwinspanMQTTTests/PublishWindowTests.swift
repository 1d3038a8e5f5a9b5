import Testing
import TwinspanConnections

@testable import TwinspanMQTT

@Suite("publish window")
struct PublishWindowTests {
    @Test("messages are found by packet id in any order, each once")
    func anyOrder() {
        let window = Window()
        for id in 1...3 { #expect(window.insert(message(id), id: Int32(id))) }
        #expect(window.confirm(2)?.payload == [2])
        #expect(window.confirm(2) == nil)
        #expect(window.confirm(4) == nil)
        #expect(window.confirm(0) == nil)
        #expect(window.count == 2 && window.bytes == 2)
        #expect(window.removeAll().map(\.payload) == [[1], [3]])
        #expect(window.isEmpty && window.bytes == 0)
    }

    @Test("the window is full at its count and at its bytes")
    func limits() {
        let window = Window()
        for id in 1...PublishWindow.maximumCount {
            #expect(!window.isFull)
            #expect(window.insert(message(id), id: Int32(id)))
        }
        #expect(window.isFull)
        _ = window.confirm(50)
        #expect(!window.isFull)
        let large = Window()
        let payload = [UInt8](repeating: 0, count: PublishWindow.maximumBytes)
        #expect(large.insert(message(payload), id: 1))
        #expect(large.isFull)
    }

    @Test("a message that stays unconfirmed stops the ids from going round to it")
    func slowConfirmation() {
        let window = Window()
        #expect(window.insert(message(1), id: 1))
        var id: Int32 = 1
        while !window.isFull {
            id += 1
            #expect(window.insert(message(2), id: id))
            #expect(window.confirm(id) != nil)
        }
        #expect(id == 1024)
        #expect(!window.insert(message(3), id: 1025))
        #expect(window.confirm(1) != nil)
        #expect(!window.isFull)
    }

    @Test("order is kept over the end of the packet ids")
    func wrapAround() {
        let window = Window()
        var id: Int32 = 65_530
        var expected: [[UInt8]] = []
        for number in 0..<20 {
            #expect(!window.isFull)
            #expect(window.insert(message([UInt8(number)]), id: id))
            expected.append([UInt8(number)])
            id = id == 65_535 ? 1 : id + 1
        }
        #expect(window.removeAll().map(\.payload) == expected)
    }

    /// The macro of the test framework evaluates on a copy, so the window stands behind a reference.
    private final class Window {
        private var window = PublishWindow()
        var count: Int { window.count }
        var bytes: Int { window.bytes }
        var isEmpty: Bool { window.isEmpty }
        var isFull: Bool { window.isFull }
        func insert(_ message: OutboundMessage, id: Int32) -> Bool { window.insert(message, id: id) }
        func confirm(_ id: Int32) -> OutboundMessage? { window.confirm(id) }
        func removeAll() -> [OutboundMessage] { window.removeAll() }
    }

    private func message(_ number: Int) -> OutboundMessage { message([UInt8(truncatingIfNeeded: number)]) }

    private func message(_ payload: [UInt8]) -> OutboundMessage {
        OutboundMessage(address: "a", payload: payload, qos: 1, target: 0, queuedAt: 0)
    }
}
