// Policies and things to begin with: one per YAML or JSON document, in Ditto's own JSON form. This target knows neither
// policies nor things; whoever does reads the JSON and reports problems back to the line they come from.
public import TwinspanJSON

/// A document of a seed file.
public struct SeedDocument: Sendable {
    /// When a seed is written into the store.
    public enum Application: String, Sendable, CaseIterable {
        /// Only if there is nothing with its id.
        case missing
        /// At every start, over what changed at run time.
        case always
    }

    /// The document without our own key `twinspan`.
    public let json: JSONValue
    public let application: Application
    public let file: String
    /// Line of the document's beginning, counted from 1.
    public let line: Int
    private let node: YAMLNode
    private let text: SourceText

    init(_ node: YAMLNode, in text: SourceText, application: Application) {
        var json = node.json
        if case .object(var object) = json {
            object.remove(SeedFields.twinspan.declaration.name)
            json = .object(object)
        }
        self.json = json
        self.application = application
        self.node = node
        self.text = text
        file = text.name
        line = node.start.line
    }

    /// A problem with the line, column and excerpt of a value of this document.
    /// - Parameters:
    ///   - pointer: a JSON pointer; the nearest value around it is meant when it leads nowhere.
    ///   - message: what is wrong, without a full stop.
    public func diagnostic(
        _ severity: Diagnostic.Severity = .error, at pointer: String, _ message: String, hint: String? = nil
    ) -> Diagnostic? {
        diagnostic(severity, at: ConfigurationPath(pointer: pointer), message, hint: hint)
    }

    /// The same for a path, whose keys are taken as they are.
    /// - Parameters:
    ///   - isAboutKey: whether the last key of the path is marked, and not its value.
    ///   - suggestion: the word that was probably meant in place of the marked one.
    public func diagnostic(
        _ severity: Diagnostic.Severity = .error, at path: ConfigurationPath, isAboutKey: Bool = false,
        _ message: String, hint: String? = nil, suggestion: String? = nil
    ) -> Diagnostic? {
        let spot = isAboutKey ? node.keySpot(at: path) : node.spot(at: path)
        let sink = DiagnosticSink()
        let source = sink.add(text)
        let mark = Mark(source: source, line: spot.mark.line, column: spot.mark.column)
        sink.report(
            severity, at: Spot(mark: mark, length: spot.length), path: path, message, hint: hint,
            suggestion: suggestion)
        return sink.diagnostics.first
    }
}

/// What was found in seed files.
public struct LoadedSeeds: Sendable {
    /// The documents whose texts are in order.
    public let documents: [SeedDocument]
    /// All problems, sorted.
    public let diagnostics: [Diagnostic]
    /// The files that were read.
    public let files: [String]
}

enum SeedFields {
    static let twinspan = Field<Located<YAMLNode>?>.part(
        "twinspan", .object("seed extension"), "What Twinspan adds to a policy or thing.")
    static let apply = Field<SeedDocument.Application>.word(
        "apply", default: .missing, "When it is written: if there is none with its id, or at every start.")
    static let extensionGroup = FieldGroup("seed extension", [apply.declaration])
}

/// Reads seed files.
public enum SeedFiles {
    /// Reads all documents of files and directories.
    public static func load(paths: [String], environment: ConfigurationEnvironment = .process) -> LoadedSeeds {
        let sink = DiagnosticSink()
        let yaml = YAMLReader(environment: environment, sink: sink)
        let files = ConnectionFiles.expand(paths, environment, sink)
        var documents: [SeedDocument] = []
        for file in files {
            let errorsBefore = sink.errorCount
            do {
                let text = SourceText(name: file, bytes: try environment.files.contents(of: file))
                let nodes = yaml.documents(of: text, directory: FilePath.directory(of: file))
                let found = nodes.compactMap { document($0, in: text, sink) }
                guard sink.errorCount == errorsBefore else { continue }
                if found.isEmpty { sink.warning(file: file, "the file holds neither a policy nor a thing") }
                documents += found
            } catch {
                sink.error(file: file, "the file cannot be read: \(error.reason)")
            }
        }
        return LoadedSeeds(documents: documents, diagnostics: sink.diagnostics, files: files)
    }

    private static func document(_ node: YAMLNode, in text: SourceText, _ sink: DiagnosticSink) -> SeedDocument? {
        if node.isNull { return nil }
        guard node.mapping != nil else {
            sink.error(at: Spot(of: node), "expected an object, found \(node.kindDescription)")
            return nil
        }
        var application = SeedDocument.Application.missing
        if let pair = node["twinspan"], !pair.value.isNull,
            let fields = ObjectReader(
                pair.value, SeedFields.extensionGroup, path: ["twinspan"], owner: "'twinspan'", sink: sink)
        {
            application = fields.value(SeedFields.apply)
        }
        return SeedDocument(node, in: text, application: application)
    }
}
