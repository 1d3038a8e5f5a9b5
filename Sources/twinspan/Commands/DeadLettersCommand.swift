// `twinspan deadletters`: messages that could not be carried out, with why; and what to do with them.
import ArgumentParser
import TwinspanJSON
import TwinspanProtocol

struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletters",
        abstract: "Look at messages that could not be carried out, and run or drop them.",
        discussion: """
            A message that can never succeed, or has failed too often, is kept with its original bytes and the error: \
            7 days, and the newest 64 MB of all.

            Examples:
              twinspan deadletters ls
              twinspan deadletters ls telemetry-in --limit 20
              twinspan deadletters show 42
              twinspan deadletters retry 42 43
              twinspan deadletters retry --all telemetry-in
              twinspan deadletters drop --all telemetry-in
            """,
        subcommands: [List.self, Show.self, Retry.self, Drop.self], defaultSubcommand: List.self)

    private static let path = "/devops/twinspan/deadletters"
}

extension DeadLettersCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List them, the newest first.",
            discussion: """
                Examples:
                  twinspan deadletters ls
                  twinspan deadletters ls telemetry-in --limit 20 --json
                """)

        @Argument(help: "Only those of this connection.")
        var connection: String?

        @Option(help: "How many at most, 1 to 1000.")
        var limit = 20

        @Option(help: "Only those with a smaller number, for the next page.")
        var before: Int64?

        @Flag(help: "Print each as a line of JSON.")
        var json = false

        @OptionGroup var service: ServiceOptions

        func validate() throws {
            if let connection { try ConnectionPath.validate(connection) }
            guard (1...1000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 1000") }
        }

        func run() throws {
            try ServiceTrouble.reported {
                var query = ["limit=\(limit)"]
                if let connection { query.append("connection=\(connection)") }
                if let before { query.append("before=\(before)") }
                let answer = try service.session().object("\(path)?\(query.joined(separator: "&"))")
                let letters = (answer["deadLetters"]?.array ?? []).compactMap(\.object)
                for letter in letters {
                    StandardOutput.write(json ? JSONValue.object(letter).text + "\n" : Self.line(letter))
                }
                if letters.isEmpty, !json { StandardOutput.write("There are no dead letters.\n") }
            }
        }

        private static func line(_ letter: JSONObject) -> String {
            let error = letter["error"]?.object
            let id = letter["id"]?.int64 ?? 0
            let place = "\(letter["connection"]?.string ?? "?")  \(letter["address"]?.string ?? "?")"
            let head = "\(id)  \(letter["diedAt"]?.string ?? "?")  \(place)"
            let why = "\(letter["stage"]?.string ?? "?"): \(error?["error"]?.string ?? "?")"
            return "\(head)\n    \(why): \(error?["message"]?.string ?? "")\n"
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one with its headers, its payload and the error.",
            discussion: """
                Examples:
                  twinspan deadletters show 42
                  twinspan deadletters show 42 --json | jq -r .payload
                """)

        @Argument(help: "Its number.")
        var id: Int64

        @Flag(help: "Print it as one line of JSON.")
        var json = false

        @OptionGroup var service: ServiceOptions

        func run() throws {
            try ServiceTrouble.reported {
                let letter = try service.session().send("GET", "\(path)/\(id)") ?? JSONObject()
                StandardOutput.write(json ? JSONValue.object(letter).text + "\n" : Self.text(letter))
            }
        }

        private static func text(_ letter: JSONObject) -> String {
            var text = ""
            for (key, value) in letter where !["headers", "payload", "error"].contains(key) {
                text += "\(key): \(value.string ?? value.text)\n"
            }
            let error = letter["error"]?.object
            text += "error: \(error?["error"]?.string ?? "?") (\(error?["status"]?.int64 ?? 0))\n"
            for key in ["message", "description"] {
                if let line = error?[key]?.string { text += "  \(line)\n" }
            }
            let headers = (letter["headers"]?.array ?? []).compactMap(\.object)
            if !headers.isEmpty { text += "headers:\n" }
            for header in headers {
                text += "  \(header["name"]?.string ?? "?"): \(header["value"]?.string ?? "")\n"
            }
            return text + "payload:\n\(letter["payload"]?.string ?? "")\n"
        }
    }

    /// Which ones a command is for.
    struct Selection: ParsableArguments {
        @Argument(help: "Their numbers.")
        var ids: [Int64] = []

        @Option(help: ArgumentHelp("All of this connection.", valueName: "connection"))
        var all: String?

        func validate() throws {
            if let all { try ConnectionPath.validate(all) }
            guard ids.isEmpty != (all == nil) else {
                throw ValidationError("name dead letters by their numbers, or all of a connection with --all")
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Carry messages out once more.",
            discussion: """
                The message goes to its connection as if it had just come, and is no dead letter any more; if it fails \
                again, it becomes a new one.

                Examples:
                  twinspan deadletters retry 42 43
                  twinspan deadletters retry --all telemetry-in
                """)

        @OptionGroup var selection: Selection
        @OptionGroup var service: ServiceOptions

        func run() throws {
            try ServiceTrouble.reported {
                let session = try service.session()
                var count = 0
                if let connection = selection.all {
                    count = try retryAll(of: connection, session)
                } else {
                    for id in selection.ids { try session.send("POST", "\(path)/\(id)/retry") }
                    count = selection.ids.count
                }
                StandardOutput.write("\(count) carried out once more.\n")
            }
        }

        /// The oldest first, as they came. Those that fail again have greater numbers, so this ends.
        private func retryAll(of connection: String, _ session: ServiceSession) throws -> Int {
            var ids: [Int64] = []
            while true {
                let before = ids.last.map { "&before=\($0)" } ?? ""
                let answer = try session.object("\(path)?connection=\(connection)&limit=1000\(before)")
                let page = (answer["deadLetters"]?.array ?? []).compactMap { $0.object?["id"]?.int64 }
                ids += page
                if page.isEmpty { break }
            }
            for id in ids.reversed() { try session.send("POST", "\(path)/\(id)/retry") }
            return ids.count
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove messages for good.",
            discussion: """
                Examples:
                  twinspan deadletters drop 42
                  twinspan deadletters drop --all telemetry-in
                """)

        @OptionGroup var selection: Selection
        @OptionGroup var service: ServiceOptions

        func run() throws {
            try ServiceTrouble.reported {
                let session = try service.session()
                var count = Int64(selection.ids.count)
                if let connection = selection.all {
                    let answer = try session.send("DELETE", "\(path)?connection=\(connection)")
                    count = answer?["removed"]?.int64 ?? 0
                } else {
                    for id in selection.ids { try session.send("DELETE", "\(path)/\(id)") }
                }
                StandardOutput.write("\(count) removed.\n")
            }
        }
    }
}
