// Finds out which process listens on a port, as far as the kernel shows it to us: our own user's processes, or all for
// root. Only called when listening has failed.
import Glibc

enum PortHolder {
    /// `name (pid 1234)`; nil when it cannot be found out.
    static func name(ofPort port: Int) -> String? {
        let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { inodes(listeningOn: port, in: text(of: $0)) })
        guard !sockets.isEmpty else { return nil }
        for process in names(in: "/proc") where process.allSatisfy(\.isNumber) {
            for descriptor in names(in: "/proc/\(process)/fd") {
                guard let target = link(at: "/proc/\(process)/fd/\(descriptor)"), sockets.contains(target) else {
                    continue
                }
                let name = text(of: "/proc/\(process)/comm").split(separator: "\n").first ?? "a process"
                return "\(name) (pid \(process))"
            }
        }
        return nil
    }

    /// The sockets of the kernel's table, as links to them read, that listen on the port.
    static func inodes(listeningOn port: Int, in table: String) -> [String] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ", omittingEmptySubsequences: true)
            // Local address as `hex:hexport`, state 0A for listening, the inode tenth.
            guard columns.count > 9, columns[3] == "0A", let local = columns[1].split(separator: ":").last,
                Int(local, radix: 16) == port
            else { return nil }
            return "socket:[\(columns[9])]"
        }
    }

    private static func text(of path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 8 << 20 {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private static func link(at path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
