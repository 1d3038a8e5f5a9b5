// A value under a lock whose changes other threads can wait for.
import Foundation

/// A value that tests wait on. Safe from any thread.
public final class Watched<Value>: @unchecked Sendable {
    // Unchecked: `value` is only touched with `condition` locked.
    private let condition = NSCondition()
    private var value: Value

    public init(_ value: Value) { self.value = value }

    /// Changes the value and wakes those who wait.
    @discardableResult
    public func update<Result>(_ change: (inout Value) -> Result) -> Result {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return change(&value)
    }

    /// The present value.
    public var current: Value {
        condition.lock()
        defer { condition.unlock() }
        return value
    }

    /// Waits until `isMet` holds; false after `timeout` seconds.
    public func wait(_ timeout: Double, until isMet: (Value) -> Bool) -> Bool {
        let limit = Date(timeIntervalSinceNow: timeout)
        condition.lock()
        defer { condition.unlock() }
        while !isMet(value) {
            guard condition.wait(until: limit) else { return isMet(value) }
        }
        return true
    }
}

/// Does something on another thread after so many seconds.
public func after(_ seconds: Double, _ action: @escaping @Sendable () -> Void) {
    Thread.detachNewThread {
        Thread.sleep(forTimeInterval: seconds)
        action()
    }
}
