// Files and environment variables of the process, by the C library.
import Glibc

/// The file system.
public struct SystemFiles: FileAccess {
    /// Files larger than this are no configuration.
    static let sizeMax = 16 << 20

    public init() {}

    public func kind(of path: String) -> FileKind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR ? .directory : .file
    }

    public func contents(of path: String) throws(FileAccessError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.lastError() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.lastError()
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            if bytes.count > Self.sizeMax { throw FileAccessError(reason: "it is larger than 16 MiB") }
        }
    }

    public func entries(of directory: String) throws(FileAccessError) -> [String] {
        guard let handle = opendir(directory) else { throw Self.lastError() }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    static func environmentVariable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    private static func lastError() -> FileAccessError {
        let words = String(cString: strerror(errno))
        return FileAccessError(reason: words.prefix(1).lowercased() + words.dropFirst())
    }
}
