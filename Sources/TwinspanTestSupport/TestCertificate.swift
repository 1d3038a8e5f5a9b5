// A certificate authority and a server certificate made for one test by the `openssl` program.
import Foundation

/// Certificates in a directory of their own.
public struct TestCertificate: Sendable {
    /// Why certificates cannot be made here; nil if they can. For `.disabled(if:)`.
    public static let unavailableReason: String? =
        access(program, X_OK) == 0 ? nil : "the openssl program is not installed: TLS tests are skipped"

    /// PEM text of the authority, for the trust of a client.
    public let authority: String
    /// Files for the server.
    public let certificatePath: String
    public let keyPath: String

    /// Makes an authority and a server certificate for a host name, valid for a day, or until yesterday.
    public init(host: String, directory: String, isExpired: Bool = false) throws {
        let at = { (name: String) in "\(directory)/\(name)" }
        func run(_ arguments: String...) throws {
            let child = try ChildProcess([TestCertificate.program] + arguments, logPath: at("openssl.log"))
            for _ in 0..<1000 where child.isRunning { usleep(10_000) }
        }
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
        try run(
            "req", "-x509", key[0], key[1], key[2], key[3], key[4], key[5], key[6], "-keyout", at("ca.key"), "-out",
            at("ca.pem"), "-subj", "/CN=test authority")
        try run(
            "req", "-x509", key[0], key[1], key[2], key[3], key[4], key[5], key[6], "-keyout", at("server.key"), "-out",
            at("server.pem"), "-subj", "/CN=\(host)", "-addext", "subjectAltName=DNS:\(host)", "-addext",
            "basicConstraints=critical,CA:false", "-CA", at("ca.pem"), "-CAkey", at("ca.key"))
        if isExpired {
            // `req` makes no certificate of the past; `x509` signs a request with any number of days.
            try run(
                "req", "-new", "-key", at("server.key"), "-out", at("server.csr"), "-subj", "/CN=\(host)", "-addext",
                "subjectAltName=DNS:\(host)")
            try run(
                "x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-days", "-1",
                "-copy_extensions", "copy", "-out", at("server.pem"))
        }
        authority = try String(contentsOfFile: at("ca.pem"), encoding: .utf8)
        certificatePath = at("server.pem")
        keyPath = at("server.key")
        let isComplete = FileManager.default.fileExists(atPath: certificatePath)
        try require(isComplete, "openssl made no certificate: see \(at("openssl.log"))")
    }

    private static let program = "/usr/bin/openssl"
}
