// What can go wrong with a tunnel (spec/connectivity-bindings.md §8.3). The first words are Ditto's.
import TwinspanConnections

/// Classifies failures of SSH tunnels; all belong to the step `connect`.
enum SSHFailure {
    /// The server was not reached, or does not speak SSH with us.
    static func unreachable(_ peer: String, _ detail: String) -> BrokerFailure {
        failure(
            .backOff, "ssh-unreachable", "SSH connection failed: \(peer): \(detail)",
            "check 'sshTunnel.uri', and that an SSH server listens there")
    }

    /// The server is not the one that is expected.
    static func hostKey(_ peer: String, fingerprint: String, kind: String) -> BrokerFailure {
        failure(
            .misconfigured, "ssh-host-key",
            "SSH connection failed: the \(kind) key of \(peer) has the fingerprint \(fingerprint), which is not among "
                + "'knownHosts'",
            "ask whoever runs the server whether it is his key, and add it to 'knownHosts'")
    }

    static func authentication(_ settings: SSHTunnelSettings, methods: String) -> BrokerFailure {
        let offered = methods.isEmpty ? "" : " (it takes: \(methods))"
        let what: String
        switch settings.login {
        case .password: what = "password"
        case .key: what = "key"
        }
        return failure(
            .misconfigured, "ssh-authentication",
            "SSH session authentication failed: \(settings.peer) refuses the \(what) of '\(settings.user)'\(offered)",
            "check 'sshTunnel.credentials', and what the server allows this user")
    }

    static let key = failure(
        .misconfigured, "ssh-authentication",
        "SSH session authentication failed: /sshTunnel/credentials/privateKey cannot be read",
        "expect PEM-encoded PKCS #8 key starting with '-----BEGIN PRIVATE KEY-----', not encrypted")

    /// The server does not lead to the broker.
    static func forward(_ settings: SSHTunnelSettings, to peer: String, _ text: String) -> BrokerFailure {
        let isForbidden = text.contains("(1)") || text.lowercased().contains("prohibited")
        return failure(
            isForbidden ? .misconfigured : .backOff, isForbidden ? "ssh-forward-refused" : "unreachable",
            "\(peer) cannot be connected to from \(settings.peer): \(text)",
            isForbidden
                ? "allow this user to forward ports there (AllowTcpForwarding, PermitOpen)"
                : "check host and port of 'uri', as the SSH server sees them")
    }

    /// An established tunnel broke.
    static func lost(_ peer: String, _ detail: String) -> BrokerFailure {
        failure(
            .retryNow, "ssh-lost", "The SSH tunnel by \(peer) was lost: \(detail)",
            "if it happens again, look into the SSH server's log")
    }

    static func silent(_ peer: String, after patience: Duration) -> BrokerFailure {
        failure(
            .retryNow, "ssh-keep-alive", "The SSH tunnel by \(peer) was lost: no answer for \(patience)",
            "check the network to the SSH server")
    }

    private static func failure(
        _ reaction: BrokerFailure.Reaction, _ reason: String, _ message: String, _ hint: String
    ) -> BrokerFailure {
        let sentence = message.hasSuffix(".") ? message : message + "."
        return BrokerFailure(step: .connect, reaction: reaction, reason: reason, message: sentence, hint: hint)
    }
}
