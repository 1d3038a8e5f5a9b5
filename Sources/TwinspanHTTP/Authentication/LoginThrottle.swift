// Slows down the guessing of passwords: each network address may try a few times at once and then once every few
// seconds. A value; the authenticator guards it.

/// Token buckets of failed logins per address.
struct LoginThrottle: Sendable {
    /// Attempts an address may make at once.
    static let burst = 10.0
    /// Attempts that come back per second.
    static let perSecond = 0.5
    /// Addresses remembered; beyond that all new ones share one bucket.
    static let addressMaximum = 4096

    private struct Bucket {
        var tokens: Double
        var since: UInt64
    }

    private var buckets: [UInt64: Bucket] = [:]
    private var overflow = Bucket(tokens: burst, since: 0)

    /// Takes an attempt of the address; false when it has none left. `now` in nanoseconds of a monotonic clock.
    mutating func take(_ address: UInt64, now: UInt64) -> Bool {
        if buckets[address] == nil, buckets.count >= Self.addressMaximum { forgetFull(now: now) }
        guard buckets[address] != nil || buckets.count < Self.addressMaximum else {
            return Self.take(&overflow, now: now)
        }
        return Self.take(&buckets[address, default: Bucket(tokens: Self.burst, since: now)], now: now)
    }

    /// Gives an attempt back that turned out to be genuine.
    mutating func giveBack(_ address: UInt64) {
        if buckets[address] != nil {
            buckets[address]?.tokens += 1
        } else {
            overflow.tokens = min(overflow.tokens + 1, Self.burst)
        }
    }

    /// The addresses remembered.
    var count: Int { buckets.count }

    private static func take(_ bucket: inout Bucket, now: UInt64) -> Bool {
        bucket.tokens = refilled(bucket, now: now)
        bucket.since = now
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }

    private static func refilled(_ bucket: Bucket, now: UInt64) -> Double {
        let seconds = now > bucket.since ? Double(now - bucket.since) / 1e9 : 0
        return min(bucket.tokens + seconds * perSecond, burst)
    }

    /// A full bucket says the same as none.
    private mutating func forgetFull(now: UInt64) {
        buckets = buckets.filter { Self.refilled($0.value, now: now) < Self.burst }
    }
}
