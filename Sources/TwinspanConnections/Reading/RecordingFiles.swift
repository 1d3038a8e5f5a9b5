// Remembers which files a reading has looked into, so that a change of a script or a certificate is noticed, and the
// connections that need it are known.
import Synchronization

/// Passes reads on and keeps their paths.
final class RecordingFiles: FileAccess {
    private let files: any FileAccess
    private let recorded = Mutex<[String]>([])

    init(_ files: any FileAccess) { self.files = files }

    func kind(of path: String) -> FileKind? { files.kind(of: path) }

    func contents(of path: String) throws(FileAccessError) -> [UInt8] {
        // Also one that cannot be read: when it appears, the reading has another result.
        recorded.withLock { paths in
            if !paths.contains(path) { paths.append(path) }
        }
        return try files.contents(of: path)
    }

    func entries(of directory: String) throws(FileAccessError) -> [String] { try files.entries(of: directory) }

    /// The paths since the last call, in the order of their first reading.
    func takePaths() -> [String] {
        recorded.withLock { paths in
            defer { paths = [] }
            return paths
        }
    }
}
