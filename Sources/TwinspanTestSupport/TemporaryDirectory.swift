// A directory that lives as long as the value that names it.
import Foundation

/// A fresh, empty directory; it and everything in it is removed when the last reference goes.
public final class TemporaryDirectory: Sendable {
    public let path: String

    /// - Parameter isInMemory: whether it may lie in memory, where a sync costs nothing. For tests that are not about
    ///   what the disk does.
    public init(isInMemory: Bool = false) throws {
        let memory = "/dev/shm"
        let usesMemory = isInMemory && FileManager.default.isWritableFile(atPath: memory)
        path = (usesMemory ? memory : NSTemporaryDirectory()) + "/twinspan-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A directory that cannot be removed is left to the system's own cleaning.
        try? FileManager.default.removeItem(atPath: path)
    }
}
