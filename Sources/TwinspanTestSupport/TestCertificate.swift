// Certificates made for one test by the `openssl` program: an authority, a server's certificate, and what is wrong with
// it if something is to be wrong; and clients' certificates of the same authority.
import Foundation

/// Certificates in a directory of their own.
public struct TestCertificate: Sendable {
    /// When the server's certificate is valid.
    public enum Validity: Sendable { case now, expired, notYet }

    /// What the server's certificate is like.
    public struct Options: Sendable {
        /// Subject alternative names, e.g. `DNS:localhost`, `IP:127.0.0.1`; the host's own when empty.
        public var names: [String] = []
        public var validity = Validity.now
        /// Whether an intermediate authority stands between the authority and the server.
        public var hasIntermediate = false
        public init(names: [String] = [], validity: Validity = .now, hasIntermediate: Bool = false) {
            self.names = names
            self.validity = validity
            self.hasIntermediate = hasIntermediate
        }
    }

    /// A certificate and its key, as PEM text and as files.
    public struct Pair: Sendable {
        /// The certificate, and an intermediate one if there is one.
        public let certificate: String
        /// PKCS #8.
        public let key: String
        public let certificatePath: String
        public let keyPath: String
    }

    /// Why certificates cannot be made here; nil if they can. For `.disabled(if:)`.
    public static let unavailableReason: String? =
        access(program, X_OK) == 0 ? nil : "the openssl program is not installed: TLS tests are skipped"

    /// PEM text of the authority, for the trust of a client.
    public let authority: String
    /// The same as a file, for the trust of a server that asks for client certificates.
    public let authorityPath: String
    /// The server's certificate and key.
    public let server: Pair
    private let directory: String
    private let hasIntermediate: Bool

    /// Files for the server.
    public var certificatePath: String { server.certificatePath }
    public var keyPath: String { server.keyPath }

    /// Makes an authority and a server certificate for a host name, valid for a day, or until yesterday.
    public init(host: String, directory: String, isExpired: Bool = false) throws {
        try self.init(host: host, directory: directory, Options(validity: isExpired ? .expired : .now))
    }

    /// Makes an authority and a server certificate for a host name.
    public init(host: String, directory: String, _ options: Options) throws {
        self.directory = directory
        hasIntermediate = options.hasIntermediate
        authorityPath = "\(directory)/ca.pem"
        let issuer = Issuer(directory: directory)
        try issuer.makeAuthority("ca", subject: "test authority", signedBy: nil)
        if options.hasIntermediate {
            try issuer.makeAuthority("intermediate", subject: "test intermediate", signedBy: "ca")
        }
        authority = try String(contentsOfFile: authorityPath, encoding: .utf8)
        server = try issuer.makePair(
            "server", subject: host, names: options.names.isEmpty ? ["DNS:\(host)"] : options.names,
            validity: options.validity, signedBy: hasIntermediate ? "intermediate" : "ca")
    }

    /// Makes a certificate for a client, signed by the authority (or the intermediate one).
    /// - Parameter subject: its common name, which brokers take as user; unique in the directory.
    public func client(_ subject: String, validity: Validity = .now) throws -> Pair {
        try Issuer(directory: directory).makePair(
            "client-\(subject)", subject: subject, names: ["DNS:\(subject)"], validity: validity,
            signedBy: hasIntermediate ? "intermediate" : "ca")
    }

    fileprivate static let program = "/usr/bin/openssl"
}

/// Calls the program.
private struct Issuer {
    let directory: String

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    func makeAuthority(_ name: String, subject: String, signedBy issuer: String?) throws {
        var arguments = ["req", "-x509"] + newKey(name) + ["-days", "2", "-out", path("\(name).pem")]
        arguments += ["-subj", "/CN=\(subject)"]
        // The default configuration adds these to a root; one that is signed by another needs them said.
        if let issuer { arguments += signature(issuer) + ["-addext", "basicConstraints=critical,CA:true"] }
        try run(arguments, for: "\(name).pem")
    }

    func makePair(
        _ name: String, subject: String, names: [String], validity: TestCertificate.Validity, signedBy issuer: String
    ) throws -> TestCertificate.Pair {
        let alternatives = ["-addext", "subjectAltName=\(names.joined(separator: ","))"]
        if validity == .now {
            try run(
                ["req", "-x509"] + newKey(name) + [
                    "-days", "1", "-out", path("\(name).pem"), "-subj", "/CN=\(subject)",
                ]
                    + alternatives + ["-addext", "basicConstraints=critical,CA:false"] + signature(issuer),
                for: "\(name).pem")
        } else {
            try run(
                ["req", "-new"] + newKey(name) + ["-out", path("\(name).csr"), "-subj", "/CN=\(subject)"]
                    + alternatives,
                for: "\(name).csr")
            try sign(name, issuer, validity)
        }
        let read = { (file: String) in try String(contentsOfFile: path(file), encoding: .utf8) }
        var certificate = try read("\(name).pem")
        if issuer != "ca" {
            certificate += try read("\(issuer).pem")
            try certificate.write(toFile: path("\(name).pem"), atomically: true, encoding: .utf8)
        }
        return TestCertificate.Pair(
            certificate: certificate, key: try read("\(name).key"), certificatePath: path("\(name).pem"),
            keyPath: path("\(name).key"))
    }

    /// `req` makes no certificate of another time; `ca` takes dates, and needs a database for it.
    private func sign(_ name: String, _ issuer: String, _ validity: TestCertificate.Validity) throws {
        let start = Date().addingTimeInterval(validity == .expired ? -3 * 86_400 : 86_400)
        let format = { (date: Date) -> String in
            var time = time_t(date.timeIntervalSince1970)
            var parts = tm()
            gmtime_r(&time, &parts)
            var text = [CChar](repeating: 0, count: 32)
            strftime(&text, text.count, "%Y%m%d%H%M%SZ", &parts)
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let configuration = """
            [ca]
            default_ca = test
            [test]
            database = \(path("\(name).index"))
            new_certs_dir = \(directory)
            rand_serial = yes
            default_md = sha256
            policy = any
            copy_extensions = copy
            [any]
            commonName = supplied
            """
        try configuration.write(toFile: path("\(name).cnf"), atomically: true, encoding: .utf8)
        try "".write(toFile: path("\(name).index"), atomically: true, encoding: .utf8)
        try run(
            [
                "ca", "-batch", "-notext", "-config", path("\(name).cnf"), "-in", path("\(name).csr"), "-out",
                path("\(name).pem"), "-cert", path("\(issuer).pem"), "-keyfile", path("\(issuer).key"), "-startdate",
                format(start), "-enddate", format(start.addingTimeInterval(2 * 86_400)),
            ], for: "\(name).pem")
    }

    private func newKey(_ name: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path("\(name).key")]
    }

    private func signature(_ issuer: String) -> [String] {
        ["-CA", path("\(issuer).pem"), "-CAkey", path("\(issuer).key")]
    }

    private func run(_ arguments: [String], for file: String) throws {
        let log = path("openssl.log")
        let child = try ChildProcess([TestCertificate.program] + arguments, logPath: log)
        for _ in 0..<1000 where child.isRunning { usleep(10_000) }
        let isMade = child.exitCode == 0 && FileManager.default.fileExists(atPath: path(file))
        try require(isMade, "openssl made no \(file): see \(log)")
    }
}
