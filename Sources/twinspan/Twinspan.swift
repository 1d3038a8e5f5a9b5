// The command line. Each command is a file of its own; `Composition/` puts the parts together.
import ArgumentParser
import Glibc

@main
enum Main {
    /// Runs the command. Exit codes: 0 fine, 1 findings or failure, 2 wrong usage.
    static func main() async {
        do {
            var command = try Twinspan.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard Twinspan.exitCode(for: error) == .validationFailure else { Twinspan.exit(withError: error) }
            StandardError.write(Twinspan.fullMessage(for: error) + "\n")
            exit(2)
        }
    }
}

struct Twinspan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twinspan",
        abstract: "Digital twins beside your message broker.",
        discussion: """
            Connects to brokers, turns their messages into durable twins, and sends filtered events back out.

            Start here:
              twinspan init mqtt                  print a first connection
              twinspan serve                      serve with ./connections and ./data on 127.0.0.1:8080
              twinspan lint connections           check connection files without a network
            """,
        version: Version.text,
        subcommands: [
            ServeCommand.self, LintCommand.self, CheckCommand.self, MapCommand.self, TestCommand.self,
            ParseCommand.self, SimulateCommand.self, InitCommand.self, SchemaCommand.self, ImportCommand.self,
            StatusCommand.self, LogsCommand.self, TapCommand.self, DeadLettersCommand.self, PoliciesCommand.self,
            HashPasswordCommand.self, DemoCommand.self,
        ])
}

/// The version as people and clients see it.
enum Version {
    static let text = "0.1.0"
}
