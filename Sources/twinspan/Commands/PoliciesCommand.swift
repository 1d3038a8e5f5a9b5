// `twinspan policy explain`: why somebody may, or may not. Asks a running service, or reads policies from files.
import ArgumentParser
import TwinspanConnections
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct PoliciesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Explain what policies allow.",
        discussion: """
            Examples:
              twinspan policy explain --thing plant:pump-7 --subject nginx:ditto
              twinspan policy explain --policy policies/plant.yaml --subject group:staff
            """,
        subcommands: [Explain.self])
}

extension PoliciesCommand {
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say why somebody may, or may not, do something.",
            discussion: """
                Of all that a policy, its imports and the roots of its namespace say about the subjects of a caller, \
                the deepest statement at or above a resource decides, and on equal depth a revoke wins. This shows \
                which one that is, what restricts or opens parts below, and what does not count and why.

                With --thing, or with the id of a policy, a running service is asked. With a file after --policy \
                (it ends in .yaml, .yml or .json, or has a slash), or with --policy-dir, policies are read from files \
                and nothing else is needed. Exit code 0: granted at the resource, also where parts below it are \
                revoked, 1: not granted there, 2: no answer, because of wrong usage, a thing or policy that is not \
                there, or a service that does not answer.

                Examples:
                  twinspan policy explain --thing plant:pump-7 --subject nginx:ditto
                  twinspan policy explain --policy policies/plant.yaml --policy-dir policies \\
                      --subject group:staff --resource thing:/features --permission WRITE
                """)

        @Option(name: .long, help: "The thing that is meant; in files it only gives the namespace.")
        var thing: String?

        @Option(name: .long, help: ArgumentHelp("The id of a policy, or a file with policies.", valueName: "ID|FILE"))
        var policy: String?

        @Option(
            name: .long,
            help: ArgumentHelp(
                "A directory or file with more policies, for imports; may be repeated.", valueName: "DIR"))
        var policyDir: [String] = []

        @Option(name: .long, help: "The namespace of things that are meant, where no thing is named.")
        var namespace: String?

        @Option(
            name: .long,
            help: ArgumentHelp("A subject of the caller; may be repeated, they count together.", valueName: "ID"))
        var subject: [String]

        @Option(
            name: .long, help: ArgumentHelp("The resource, its type thing, policy or message.", valueName: "type:/path")
        )
        var resource = "thing:/"

        @Option(name: .long, help: "What: READ, WRITE or EXECUTE.")
        var permission = "READ"

        @Flag(help: "Print the explanation as JSON.")
        var json = false

        @OptionGroup var service: ServiceOptions

        private static let path = "/devops/policies/explain"

        func validate() throws {
            _ = try question()
            guard thing != nil || policy != nil else {
                throw ValidationError("name a thing with --thing, or a policy with --policy")
            }
            guard thing == nil || namespace == nil else {
                throw ValidationError("--thing has a namespace of its own: leave --namespace out")
            }
            if isOffline {
                guard policy != nil else {
                    throw ValidationError("files do not say which policy a thing has: name it with --policy")
                }
            } else if thing != nil, policy != nil {
                throw ValidationError("the service knows the policy of a thing: leave --policy out, or name a file")
            } else if let policy {
                try Self.checked(policy)
            }
        }

        func run() throws {
            let explanation: PolicyExplanation
            do {
                explanation = try isOffline ? explainFiles() : askService()
            } catch let trouble as ServiceTrouble {
                StandardError.write(trouble.description)
                throw ExitCode(2)
            } catch let code as ExitCode where code.rawValue == 1 {
                // Reading the configuration ends like that; here 1 would be an answer.
                throw ExitCode(2)
            }
            if json {
                StandardOutput.write(explanation.json.text + "\n")
            } else {
                let ink = Ink(isOn: StandardOutput.isTerminal)
                StandardOutput.write(
                    explanation.lines.map { ink.paint($0.text, Self.colour($0.tone)) + "\n" }.joined())
            }
            if !explanation.isAllowed { throw ExitCode(1) }
        }

        private static func colour(_ tone: PolicyExplanation.Tone) -> Ink.Colour? {
            switch tone {
            case .allowed: .green
            case .restricted, .warning: .yellow
            case .denied: .red
            case .heading: .bold
            case .plain: nil
            }
        }

        private func question() throws -> AccessQuestion {
            do throws(AccessQuestionFault) {
                return try AccessQuestion.parse(
                    subjects: subject, resource: resource, permission: permission, thing: try thingID(),
                    namespace: namespace, nearest: NearestName.find)
            } catch {
                throw ValidationError("\(error.message) \(error.hint)")
            }
        }

        private func thingID() throws(AccessQuestionFault) -> ThingID? {
            do throws(TwinspanError) {
                return try thing.map { text throws(TwinspanError) in try ThingID(text) }
            } catch {
                throw AccessQuestionFault(error)
            }
        }

        @discardableResult
        private static func checked(_ policy: String) throws -> PolicyID {
            do throws(TwinspanError) {
                return try PolicyID(policy)
            } catch {
                let fault = AccessQuestionFault(error)
                throw ValidationError("\(fault.message) \(fault.hint) A file ends in .yaml, .yml or .json.")
            }
        }

        // MARK: A running service

        private func askService() throws -> PolicyExplanation {
            var parameters = [("resource", resource), ("permission", permission)]
            parameters += subject.map { ("subject", $0) }
            for (name, value) in [("thing", thing), ("policy", policy), ("namespace", namespace)] {
                if let value { parameters.append((name, value)) }
            }
            let query = parameters.map { "\($0)=\(TapCommand.escaped($1))" }.joined(separator: "&")
            let answer = try service.session().object("\(Self.path)?\(query)")
            guard let explanation = PolicyExplanation(json: answer) else {
                throw ServiceTrouble(
                    what: "the answer of the service is no explanation",
                    hint: "check that --url names a twinspan of this version (\(Version.text))")
            }
            return explanation
        }

        // MARK: Files

        private var isOffline: Bool {
            !policyDir.isEmpty || policy.map(PolicyFiles.isFile) == true
        }

        private func explainFiles() throws -> PolicyExplanation {
            let named = policy.flatMap { PolicyFiles.isFile($0) ? $0 : nil }
            let files = try PolicyFiles(named: named, others: policyDir)
            let id = try named == nil ? Self.checked(policy ?? "") : files.onlyPolicy()
            return try files.explain(try question(), under: id, roots: service.namespaceRoots())
        }
    }
}
