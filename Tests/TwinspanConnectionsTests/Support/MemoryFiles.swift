// Files and variables that exist only in a test.
import TwinspanConnections

/// A file system in memory. Directories exist through the files in them.
struct MemoryFiles: FileAccess {
    var files: [String: [UInt8]]

    init(_ texts: [String: String]) {
        files = texts.mapValues { Array($0.utf8) }
    }

    func kind(of path: String) -> FileKind? {
        if files[path] != nil { return .file }
        return files.keys.contains { $0.hasPrefix(folder(path)) } ? .directory : nil
    }

    func contents(of path: String) throws(FileAccessError) -> [UInt8] {
        guard let bytes = files[path] else { throw FileAccessError(reason: "no such file or directory") }
        return bytes
    }

    func entries(of directory: String) throws(FileAccessError) -> [String] {
        let folder = folder(directory)
        let inside = files.keys.filter { $0.hasPrefix(folder) }
        return Array(Set(inside.map { String($0.dropFirst(folder.count).split(separator: "/")[0]) }))
    }

    private func folder(_ path: String) -> String { path.hasSuffix("/") ? path : path + "/" }
}

extension ConfigurationEnvironment {
    /// Surroundings of the given files and variables only.
    static func memory(_ files: [String: String] = [:], variables: [String: String] = [:]) -> ConfigurationEnvironment {
        ConfigurationEnvironment(variable: { variables[$0] }, files: MemoryFiles(files))
    }
}
