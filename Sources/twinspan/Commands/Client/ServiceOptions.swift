// Which service a tool asks, and as whom. Passwords come from the environment or a file, never from an argument: those
// can be read by everybody on the machine.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanEngine
import TwinspanHTTP
import TwinspanPolicies

/// The options of all commands that ask a running service.
struct ServiceOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The service; the address in the configuration, or http://127.0.0.1:8080.", valueName: "http://host:port"))
    var url: String?

    @Option(
        name: .long,
        help: "The user; the password is taken from TWINSPAN_PASSWORD or the credentials in the data directory.")
    var user = CredentialsFile.devopsName

    @Option(name: .long, help: "The configuration file of the service; ./twinspan.yaml if it is there.")
    var config: String?

    @Option(name: .long, help: "The data directory of the service; what the configuration says, or ./data.")
    var data: String?

    private static let defaultFile = "twinspan.yaml"
    static let passwordVariable = "TWINSPAN_PASSWORD"

    func validate() throws {
        if let url, Self.parse(url) == nil {
            let isTLS = url.lowercased().hasPrefix("https:")
            throw ValidationError(
                isTLS
                    ? "the tools speak no TLS: ask on the machine of the service, or through an ssh tunnel"
                    : "'\(url)' is not of the form http://host:port")
        }
    }

    /// A session with the service.
    func session() throws -> ServiceSession {
        let configuration = try configuration()
        let address =
            url.flatMap(Self.parse)
            ?? (host: Self.reachable(configuration.http.host), port: configuration.http.port, path: "")
        let password = try password(directory: data ?? configuration.data)
        let client = PlainHTTPClient(
            host: address.host, port: address.port, basePath: address.path, user: user, password: password.text)
        return ServiceSession(client: client, user: user, passwordPlace: password.place)
    }

    /// The root policies of the configuration (key `access.namespacePolicies`), for tools that ask no service.
    func namespaceRoots() throws -> NamespaceRoots {
        AccessSettings(try configuration().access).namespaceRoots
    }

    private func configuration() throws -> Configuration {
        let file = config ?? (access(Self.defaultFile, R_OK) == 0 ? Self.defaultFile : nil)
        guard let file else { return Configuration() }
        let loaded = Configuration.load(file: file)
        // What is wrong elsewhere in the file is the service's business, unless somebody named the file.
        let report = DiagnosticReport(loaded.diagnostics, fileCount: 1)
        if config != nil, report.errorCount > 0 {
            StandardError.write(report.text(isColoured: StandardError.isTerminal))
            throw ExitCode(1)
        }
        return loaded.configuration
    }

    private func password(directory: String) throws -> (text: String?, place: String) {
        if let variable = getenv(Self.passwordVariable) {
            return (String(cString: variable), Self.passwordVariable)
        }
        let path = directory + "/credentials"
        do throws(CredentialsFileFailure) {
            let users = try CredentialsFile.existing(in: directory)?.users ?? []
            for known in users where known.name == user {
                if case .password(let text) = known.secret { return (text, path) }
            }
        } catch {
            StandardError.write("\(error.description).\n  → \(error.hint)\n")
            throw ExitCode(1)
        }
        return (nil, path)
    }

    /// An address that listens everywhere is reached here.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        default: host
        }
    }

    static func parse(_ url: String) -> (host: String, port: Int, path: String)? {
        guard url.lowercased().hasPrefix("http://") else { return nil }
        var rest = url.dropFirst("http://".count)
        var path = ""
        if let slash = rest.firstIndex(of: "/") {
            path = String(rest[slash...])
            while path.hasSuffix("/") { path.removeLast() }
            rest = rest[..<slash]
        }
        // Without what could become another header or another request.
        guard !url.utf8.contains(where: { $0 <= 32 || $0 == 127 }), !rest.contains("@"), !rest.isEmpty else {
            return nil
        }
        var host = rest
        var port = 80
        if let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") {
            guard let number = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(number) else { return nil }
            port = number
            host = rest[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (String(host), port, path)
    }
}
