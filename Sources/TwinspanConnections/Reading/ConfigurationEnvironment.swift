// What configuration is read from besides its own text: environment variables and files. Tests put their own in.

/// The surroundings in which configuration is read.
public struct ConfigurationEnvironment: Sendable {
    /// The value of an environment variable, nil when it is not set.
    public var variable: @Sendable (String) -> String?
    public var files: any FileAccess

    /// Makes surroundings of one's own.
    public init(variable: @escaping @Sendable (String) -> String?, files: any FileAccess) {
        self.variable = variable
        self.files = files
    }

    /// Those of this process.
    public static let process = ConfigurationEnvironment(
        variable: SystemFiles.environmentVariable, files: SystemFiles())
}

/// Reads files and directories.
public protocol FileAccess: Sendable {
    /// What stands at a path, nil if nothing does.
    func kind(of path: String) -> FileKind?
    /// The bytes of a file.
    func contents(of path: String) throws(FileAccessError) -> [UInt8]
    /// The names in a directory, in any order, without `.` and `..`.
    func entries(of directory: String) throws(FileAccessError) -> [String]
}

/// What a path leads to.
public enum FileKind: Sendable { case file, directory }

/// Why a file or directory could not be read.
public struct FileAccessError: Error, Sendable, Equatable {
    /// In words, e.g. `no such file or directory`.
    public let reason: String
    /// Makes an error.
    public init(reason: String) { self.reason = reason }
}

/// Paths as text. Foundation is not used in this target.
enum FilePath {
    /// The directory part of a path, `.` when there is none.
    static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of a path.
    static func name(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    /// A path seen from a directory. Absolute paths stay as they are.
    static func resolve(_ path: String, in directory: String) -> String {
        if path.hasPrefix("/") || directory.isEmpty || directory == "." { return path }
        let relative = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return directory.hasSuffix("/") ? directory + relative : directory + "/" + relative
    }
}
