// `twinspan import`: connections of a Ditto as files.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn connection JSON of Eclipse Ditto into YAML files.",
        discussion: """
            Reads one definition or an array of them and writes one file per connection. Existing files are never \
            touched. Secrets become environment variables, which the report on stderr lists, together with what is \
            different here. Exit code 0: all written, 1: something was not, 2: wrong usage.

            Examples:
              twinspan import connections.json -o connections
              curl -su devops:… https://ditto.example.org/api/2/connections | twinspan import -
            """)

    @Argument(help: "A file, or - for the standard input.")
    var file: String

    @Option(name: .shortAndLong, help: "The directory to write to; it has to exist.")
    var output = "connections"

    func run() throws {
        if file.hasPrefix("http://") || file.hasPrefix("https://") {
            StandardError.write(
                "import reads files and the standard input.\n  → curl -su devops:… '\(file)' | twinspan import -\n")
            throw ExitCode(2)
        }
        let bytes: [UInt8]
        if file == "-" {
            bytes = StandardInput.readAll()
        } else {
            do throws(FileAccessError) {
                bytes = try SystemFiles().contents(of: file)
            } catch {
                StandardError.write("cannot read \(file): \(error.reason).\n")
                throw ExitCode(1)
            }
        }
        let imported: DittoImport
        do throws(JSONSyntaxError) {
            imported = try DittoImport(bytes)
        } catch {
            StandardError.write("\(file) is not valid JSON: \(error).\n")
            throw ExitCode(1)
        }
        try write(imported)
    }

    private func write(_ imported: DittoImport) throws {
        var failed = imported.files.isEmpty
        for file in imported.files {
            let path = output.hasSuffix("/") ? output + file.name : "\(output)/\(file.name)"
            do {
                try NewFile.write(file.text, to: path)
                StandardError.write("wrote \(path)\n")
            } catch {
                failed = true
            }
        }
        for remark in imported.remarks { StandardError.write("  \(remark)\n") }
        if !imported.variables.isEmpty {
            StandardError.write("set these variables before you start:\n")
            for variable in imported.variables {
                StandardError.write("  \(variable.name)   was \(variable.place)\n")
            }
        }
        if failed {
            if imported.files.isEmpty { StandardError.write("there is no connection in \(file)\n") }
            throw ExitCode(1)
        }
        StandardError.write("next: twinspan lint \(output)\n")
    }
}
