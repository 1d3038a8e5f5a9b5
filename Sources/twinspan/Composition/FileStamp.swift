// What tells that a file is another one than before.
import Glibc

/// How a file was at one moment. Links are followed, so that one which is switched to another directory is seen.
struct FileStamp: Hashable {
    let path: String
    private var size: Int64 = -1
    private var seconds = 0
    private var nanoseconds = 0
    private var inode: UInt64 = 0

    /// Looks at the file; one that is not there has a stamp of its own.
    init(path: String) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
        inode = UInt64(status.st_ino)
    }
}
