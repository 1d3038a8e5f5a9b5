// The bookkeeping of unconfirmed messages.
import Testing
import TwinspanConnections
import TwinspanNetwork

@testable import TwinspanAMQP091

@Suite("AMQP 0.9.1 confirmations")
struct AMQP091ConfirmWindowTests {
    private func window(of count: Int) -> AMQP091ConfirmWindow {
        var window = AMQP091ConfirmWindow()
        for number in 1...count { window.append(message(number), until: .never) }
        return window
    }

    private func message(_ number: Int) -> OutboundMessage {
        OutboundMessage(address: "/q", payload: [UInt8(number % 256)], qos: 1, target: 0, queuedAt: UInt64(number))
    }

    private func settle(_ window: inout AMQP091ConfirmWindow, _ tag: UInt64, _ isMultiple: Bool) -> [UInt64] {
        var settled: [UInt64] = []
        window.settle(tag, isMultiple: isMultiple) { settled.append($0.message.queuedAt) }
        return settled
    }

    @Test("confirmations come in any order, alone or all up to one, and each message is settled once")
    func order() {
        var window = window(of: 10)
        #expect(window.nextTag == 11)
        #expect(settle(&window, 8, false) == [8])
        #expect(settle(&window, 9, false) == [9])
        #expect(settle(&window, 7, true) == [1, 2, 3, 4, 5, 6, 7])
        #expect(settle(&window, 7, true) == [])
        #expect(settle(&window, 8, false) == [])
        #expect(settle(&window, 11, false) == [])
        #expect(settle(&window, 0, false) == [])
        #expect(!window.isEmpty && window.nextTag == 11)
        #expect(settle(&window, 99, true) == [10])
        #expect(window.isEmpty && window.nextTag == 11)
        window.append(message(11), until: .never)
        #expect(settle(&window, 11, false) == [11])
    }

    @Test("what is unconfirmed is given back in order, and the numbers begin anew")
    func giveBack() {
        var window = window(of: 5)
        _ = settle(&window, 2, false)
        #expect(window.removeAll().map(\.queuedAt) == [1, 3, 4, 5])
        #expect(window.isEmpty && window.nextTag == 1)
    }

    @Test("only messages whose time is over expire, and a returned one remembers why")
    func expiry() {
        var window = AMQP091ConfirmWindow()
        window.append(message(1), until: .after(.zero))
        window.append(message(2), until: .never)
        window.noteReturn(2, "312 NO_ROUTE")
        window.noteReturn(7, "nobody")
        #expect(window.removeExpired().map(\.queuedAt) == [1])
        #expect(window.removeExpired().isEmpty)
        var returned: String?
        window.settle(2, isMultiple: false) { returned = $0.returned }
        #expect(returned == "312 NO_ROUTE")
    }

    @Test("the window is full by number and by bytes, and many messages leave no gap")
    func limits() {
        var window = AMQP091ConfirmWindow()
        for number in 1...100_000 {
            window.append(message(number), until: .never)
            if number % 3 == 0 { #expect(settle(&window, UInt64(number), true).count == 3) }
        }
        #expect(settle(&window, 100_000, true) == [100_000])
        window = self.window(of: AMQP091ConfirmWindow.maximumCount - 1)
        #expect(!window.isFull)
        window.append(message(0), until: .never)
        #expect(window.isFull)
        var large = AMQP091ConfirmWindow()
        large.append(
            OutboundMessage(
                address: "/q", payload: Array(repeating: 0, count: AMQP091ConfirmWindow.maximumBytes), qos: 1,
                target: 0, queuedAt: 0), until: .never)
        #expect(large.isFull)
    }
}
