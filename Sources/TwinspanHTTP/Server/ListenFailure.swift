// Why the server cannot listen, said so that a person knows what to do.
import Glibc

/// The address cannot be listened on.
public struct ListenFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// `host:port` as it was asked for.
    public let address: String
    /// The code of the system, e.g. `EADDRINUSE`; nil when the failure has none.
    public let code: Int32?
    /// Who holds the port, where that can be found out: `mosquitto (pid 1234)`.
    public let holder: String?
    private let reason: String

    init(host: String, port: Int, code: Int32?, reason: String) {
        address = HTTPSettings.address(host, port)
        self.code = code
        self.reason = reason
        holder = code == EADDRINUSE ? PortHolder.name(ofPort: port) : nil
    }

    /// What happened and where.
    public var description: String {
        switch code {
        case EADDRINUSE:
            "cannot listen on \(address): the port is in use" + (holder.map { " by \($0)" } ?? "")
        case EACCES: "cannot listen on \(address): ports below 1024 need more rights"
        case EADDRNOTAVAIL: "cannot listen on \(address): this machine does not have that address"
        case let code?: "cannot listen on \(address): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
        case nil: "cannot listen on \(address): \(reason)"
        }
    }

    /// What to do about it.
    public var hint: String {
        "Choose another address with --http HOST:PORT" + (code == EADDRINUSE ? ", or stop what holds the port." : ".")
    }
}
