// The credentials that the first start makes when no users are configured: there is no default password. One line per
// user, `user:password`, in a file that only its owner may read.
import Glibc

/// The file `credentials` in the data directory.
public struct CredentialsFile: Sendable {
    /// Where it is.
    public let path: String
    /// Its users: `ditto` with access to twins and `devops`, and whoever was added by hand.
    public let users: [BasicUser]
    /// Whether this call made it; then its path is worth showing.
    public let wasCreated: Bool

    /// The name that has the role of devops.
    public static let devopsName = "devops"

    /// Reads the file in the data directory, or makes it with random passwords for `ditto` and `devops`.
    public static func open(in directory: String) throws(CredentialsFileFailure) -> CredentialsFile {
        let path = directory + "/credentials"
        if let text = try read(path) {
            return CredentialsFile(path: path, users: try parse(text, path: path), wasCreated: false)
        }
        let text = """
            # The users of this twinspan, one 'user:password' per line. Change a password here and restart.
            ditto:\(randomPassword())
            \(devopsName):\(randomPassword())

            """
        try write(text, to: path)
        return CredentialsFile(path: path, users: try parse(text, path: path), wasCreated: true)
    }

    /// Reads the file in the data directory, and makes none: nil when there is none.
    public static func existing(in directory: String) throws(CredentialsFileFailure) -> CredentialsFile? {
        let path = directory + "/credentials"
        guard let text = try read(path) else { return nil }
        return CredentialsFile(path: path, users: try parse(text, path: path), wasCreated: false)
    }

    static func parse(_ text: String, path: String) throws(CredentialsFileFailure) -> [BasicUser] {
        var users: [BasicUser] = []
        // By bytes: to Swift, CR and LF together are one character and no line end.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let line = Substring(bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
                throw CredentialsFileFailure(path: path, what: "line \(index + 1) is not 'user:password'")
            }
            let name = String(line[..<colon])
            let password = String(line[line.index(after: colon)...])
            guard !password.isEmpty else {
                throw CredentialsFileFailure(path: path, what: "line \(index + 1) has no password")
            }
            guard !users.contains(where: { $0.name == name }) else {
                throw CredentialsFileFailure(path: path, what: "line \(index + 1) names the user '\(name)' again")
            }
            users.append(
                BasicUser(name: name, secret: .password(password), role: name == devopsName ? .devops : .user))
        }
        guard !users.isEmpty else { throw CredentialsFileFailure(path: path, what: "it names no user") }
        return users
    }

    /// 24 characters of an alphabet of 32 without look-alikes: 120 bits.
    private static func randomPassword() -> String {
        let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789")
        var generator = SystemRandomNumberGenerator()
        return String((0..<24).map { _ in alphabet[Int(generator.next(upperBound: UInt(alphabet.count)))] })
    }

    /// The most a credentials file may have.
    private static let byteMaximum = 64 << 10

    private static func read(_ path: String) throws(CredentialsFileFailure) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw CredentialsFileFailure(path: path, what: "it cannot be read: \(errorText(errno))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: byteMaximum + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw CredentialsFileFailure(path: path, what: "it cannot be read: \(errorText(errno))")
            }
            if got == 0 { break }
            count += got
        }
        guard count <= byteMaximum, let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw CredentialsFileFailure(path: path, what: "it is not a text of at most \(byteMaximum) bytes")
        }
        return text
    }

    /// Written under another name first: a crash in between must not leave half of it.
    private static func write(_ text: String, to path: String) throws(CredentialsFileFailure) {
        let draft = path + ".new"
        unlink(draft)
        let descriptor = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CredentialsFileFailure(path: path, what: "it cannot be created: \(errorText(errno))")
        }
        let bytes = Array(text.utf8)
        let isWritten =
            bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
            && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWritten, rename(draft, path) == 0 else {
            unlink(draft)
            throw CredentialsFileFailure(
                path: path, what: "it cannot be written: \(errorText(isWritten ? errno : code))")
        }
    }

    private static func errorText(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0).lowercased() } ?? "error \(code)"
    }
}

/// Why the credentials file cannot be used.
public struct CredentialsFileFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    let what: String

    /// What happened and where.
    public var description: String { "cannot use the credentials file \(path): \(what)" }
    /// What to do about it.
    public var hint: String {
        "Repair it, or delete it: the next start then makes a new one with new passwords."
    }
}
