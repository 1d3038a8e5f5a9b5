// `twinspan init`: a first connection to change.
import ArgumentParser
import Glibc
import TwinspanConnections

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Print a first connection for a kind of broker.",
        discussion: """
            The file is small, has a comment on every line that is not obvious, and passes lint. It goes to the \
            standard output, or with -o into a file, which must not exist. What its subjects (authorizationContext) \
            may do is up to policies, which can be files as well: policies/*.yaml, things/*.yaml.

            Examples:
              twinspan init mqtt -o connections/plant.yaml
              twinspan init kafka
            """)

    @Argument(
        help: "mqtt, mqtt-5, kafka, amqp-091, amqp-10, http-push or hono.",
        transform: { word in
            guard let type = ConnectionType(rawValue: word) else {
                let words = ConnectionType.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("unknown kind of broker '\(word)'; there are: \(words)")
            }
            return type
        })
    var type: ConnectionType

    @Option(name: .shortAndLong, help: "The file to write; an existing one is never touched.")
    var output: String?

    func run() throws {
        let text = ConnectionStarter.text(for: type)
        if let output {
            try NewFile.write(text, to: output)
            StandardError.write("wrote \(output); next: twinspan lint \(output)\n")
        } else {
            StandardOutput.write(text)
        }
        if !ConnectionLimits.standard.servedTypes.contains(type) {
            StandardError.write(
                "note: connections of type '\(type.rawValue)' are not in this version, and lint will say so\n")
        }
    }
}

/// Writes files that did not exist.
enum NewFile {
    static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let reason = errno == EEXIST ? "it exists already" : String(cString: strerror(errno)).lowercased()
            StandardError.write("cannot write \(path): \(reason).\n  → name another file with -o\n")
            throw ExitCode(1)
        }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                StandardError.write("cannot write \(path): \(String(cString: strerror(errno)).lowercased()).\n")
                throw ExitCode(1)
            }
            rest = rest.dropFirst(count)
        }
    }
}
