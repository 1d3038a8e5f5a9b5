// The directory that holds the store: one process at a time, and a small ballast file that is given up when the disk is
// full, so that deleting (which first needs to write) works again.
import Glibc
import TwinspanEngine

/// A data directory held by this process.
final class DataDirectory: @unchecked Sendable {
    // `lock` is written by `init` only; the ballast is touched by the committer's thread only.
    let path: String
    private let lock: Int32
    /// Enough for SQLite to write what a deletion needs.
    static let ballastBytes = 4 << 20

    /// Creates the directory if needed and takes its lock.
    init(_ path: String) throws(StoreFailure) {
        self.path = path
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw StoreFailure(
                kind: .inputOutput, description: "cannot create the data directory \(path): \(Self.reason())",
                hint: "Create it, or name another with --data.")
        }
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreFailure(
                kind: .inputOutput, description: "cannot open \(path)/lock: \(Self.reason())",
                hint: "Check the owner and the permissions of the data directory.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = Self.owner(descriptor)
            close(descriptor)
            throw StoreFailure(
                kind: .locked, description: "the data directory \(path) is in use\(owner)",
                hint: "Stop the other twinspan, or name another directory with --data.")
        }
        lock = descriptor
        let pid = "\(getpid())\n"
        ftruncate(descriptor, 0)
        // Only for the message of a second process; it may fail on a full disk.
        _ = pid.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit { close(lock) }

    /// The path of one of the store's files.
    func path(of schema: Schema) -> String { "\(path)/\(schema.rawValue).db" }
    private var ballastPath: String { "\(path)/ballast" }

    /// Reserves the ballast, unless the disk is too full for it.
    func reserveBallast() {
        let descriptor = open(ballastPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        if posix_fallocate(descriptor, 0, off_t(Self.ballastBytes)) != 0 { unlink(ballastPath) }
        close(descriptor)
    }

    /// Reserves the ballast anew after it was given up, once there is so much space that it will not be missed.
    func restoreBallast() {
        guard access(ballastPath, F_OK) != 0 else { return }
        if let freeBytes, freeBytes > 16 * Int64(Self.ballastBytes) { reserveBallast() }
    }

    /// Bytes left on the file system; nil when it does not say.
    private var freeBytes: Int64? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }

    /// Calls an I/O error what it is when there is no space: SQLite says so only of its main file.
    func explaining(_ failure: StoreFailure) -> StoreFailure {
        guard failure.kind == .inputOutput, let freeBytes, freeBytes < 256 << 10 else { return failure }
        return .noSpace
    }

    /// Gives the ballast up.
    func dropBallast() {
        unlink(ballastPath)
    }

    /// Size of a file in bytes; 0 when it is not there.
    static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private static func reason() -> String { String(cString: strerror(errno)) }

    private static func owner(_ descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &buffer, 15, 0)
        guard count > 0 else { return "" }
        let digits = buffer.prefix(count).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        return digits.isEmpty ? "" : " by process \(String(decoding: digits, as: UTF8.self))"
    }
}
