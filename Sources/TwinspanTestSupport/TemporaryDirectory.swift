// A directory that lives as long as the value that names it.
import Foundation

/// A fresh, empty directory; it and everything in it is removed when the last reference goes.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() throws {
        path = NSTemporaryDirectory() + "/twinspan-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A directory that cannot be removed is left to the system's own cleaning.
        try? FileManager.default.removeItem(atPath: path)
    }
}
