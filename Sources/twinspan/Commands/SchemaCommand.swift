// `twinspan schema`: JSON Schema for editors.
import ArgumentParser
import TwinspanConnections

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of connection files or of twinspan.yaml.",
        discussion: """
            For completion and checks in an editor; 'twinspan lint' knows more. The draft is 2020-12. A connection \
            file names its schema in the first line: # yaml-language-server: $schema=connection.schema.json

            Examples:
              twinspan schema > connection.schema.json
              twinspan schema configuration > twinspan.schema.json
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable { case connection, configuration }

    @Argument(help: "connection, or configuration for twinspan.yaml.")
    var kind = Kind.connection

    func run() throws {
        let schema = kind == .connection ? ConfigurationSchema.connection : ConfigurationSchema.configuration
        StandardOutput.write(schema.indented() + "\n")
    }
}
