// Certificates for libraries that take files only.
import Glibc

/// A file without a name that holds `text`; -1 on failure. It vanishes with its descriptor.
public func unlinkedFile(with text: String) -> Int32 {
    var path = Array("/tmp/twinspan-XXXXXX".utf8CString)
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else { return -1 }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(path)
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written > 0 else {
            close(descriptor)
            return -1
        }
        bytes = bytes.dropFirst(written)
    }
    return descriptor
}
