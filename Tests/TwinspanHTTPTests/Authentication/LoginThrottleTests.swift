import Testing

@testable import TwinspanHTTP

@Suite("Login throttle")
struct LoginThrottleTests {
    private let second: UInt64 = 1_000_000_000

    /// How many of `attempts` the address gets.
    private func taken(_ throttle: inout LoginThrottle, _ address: UInt64, _ attempts: Int, at now: UInt64) -> Int {
        (0..<attempts).count { _ in throttle.take(address, now: now) }
    }

    @Test("an address has its attempts, then one every two seconds")
    func refills() {
        var throttle = LoginThrottle()
        let counts = [1, 1, 2, 3, 3, 100].map { taken(&throttle, 1, 20, at: $0 * second) }
        #expect(counts == [10, 0, 0, 1, 0, 10])
    }

    @Test("another address is not affected")
    func separates() {
        var throttle = LoginThrottle()
        let counts = [1, 2, 1].map { taken(&throttle, $0, 20, at: second) }
        #expect(counts == [10, 10, 0])
    }

    @Test("what is given back can be taken again")
    func givesBack() {
        var throttle = LoginThrottle()
        let admitted = (0..<100).count { _ in
            defer { throttle.giveBack(1) }
            return throttle.take(1, now: second)
        }
        #expect(admitted == 100)
    }

    @Test("the table is bounded; the addresses beyond share one bucket")
    func bounded() {
        var throttle = LoginThrottle()
        let early = (0..<UInt64(LoginThrottle.addressMaximum)).count { throttle.take($0, now: second) }
        #expect(early == LoginThrottle.addressMaximum)
        let beyond = (100_000..<UInt64(100_100)).count { throttle.take($0, now: second) }
        #expect(beyond == 10)
        #expect(throttle.count == LoginThrottle.addressMaximum)
        // Later the early ones are full again, and forgotten.
        let late = throttle.take(200_000, now: 100 * second)
        #expect(late)
        #expect(throttle.count == 1)
    }
}

@Suite("Network address")
struct NetworkAddressTests {
    @Test(
        "addresses one party owns count as one",
        arguments: [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("nonsense", "", true),
        ])
    func keys(_ row: (left: String, right: String, same: Bool)) {
        #expect((NetworkAddress.key(ofText: row.left) == NetworkAddress.key(ofText: row.right)) == row.same)
    }
}
