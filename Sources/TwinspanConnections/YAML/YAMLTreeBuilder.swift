// Makes trees of the events of a YAML text: resolves anchors and merge keys, substitutes variables, refuses duplicate
// keys. Works with a stack of its own, not by recursion, because the text may come from anyone.

/// How much a YAML text may hold.
public struct YAMLLimits: Sendable {
    /// Size of the text.
    public var bytes = 4 << 20
    /// Nesting of lists and objects, aliases followed.
    public var depth = 200
    /// Values that come from aliases and merge keys, all together. Bounds texts that grow exponentially.
    public var aliasedNodes = 100_000

    public init() {}

    /// The limits for configuration files.
    public static let standard = YAMLLimits()
}

/// Builds the documents of one text.
struct YAMLTreeBuilder {
    /// A node with what the limits need to know.
    fileprivate struct Built {
        var node: YAMLNode
        /// Number of values in it, itself included.
        var size = 1
        /// Nesting below it; 0 for scalars.
        var height = 0
    }

    fileprivate struct Key {
        var text: String
        var start: Mark
        var end: Mark
        var isMerge: Bool
        /// Said already; the value is read and dropped.
        var isDuplicate = false
    }

    /// A list or an object that is not finished.
    fileprivate struct Frame {
        var isMapping: Bool
        var start: Mark
        var anchor: String?
        var elements: [YAMLNode] = []
        var pairs: [YAMLPair] = []
        var lines: [String: Int] = [:]
        var key: Key?
        var merges: [Built] = []
        var size = 1
        var height = 1
    }

    /// Scripts have `${…}` of their own.
    private static let verbatimKeys: Set<String> = ["incomingScript", "outgoingScript"]

    private let limits: YAMLLimits
    private let substitution: VariableSubstitution
    private let sink: DiagnosticSink
    private let source: Int

    private var stack: [Frame] = []
    private var anchors: [String: Built] = [:]
    private var openAnchors: Set<String> = []
    private var aliasedNodes = 0
    private var root: YAMLNode?
    private var documents: [YAMLNode] = []

    init(source: Int, substitution: VariableSubstitution, limits: YAMLLimits, sink: DiagnosticSink) {
        self.source = source
        self.substitution = substitution
        self.limits = limits
        self.sink = sink
    }

    /// Reads all documents. Problems that leave the tree meaningful go to the sink, others are thrown.
    mutating func documents(from reader: YAMLEventReader) throws(YAMLProblem) -> [YAMLNode] {
        while true {
            let event = try reader.next()
            switch event.kind {
            case .streamEnd: return documents
            case .documentStart:
                anchors = [:]
                openAnchors = []
                root = nil
            case .documentEnd:
                if let root { documents.append(root) }
            case .scalar(let text, let style): try add(scalar(text, style, event), anchor: event.anchor)
            case .alias(let name): try add(alias(name, event), anchor: nil)
            case .sequenceStart, .mappingStart: try open(event)
            case .sequenceEnd, .mappingEnd: try closeFrame(event)
            }
        }
    }

    private mutating func open(_ event: YAMLEvent) throws(YAMLProblem) {
        var isMapping = false
        if case .mappingStart = event.kind { isMapping = true }
        if let top = stack.last, top.isMapping, top.key == nil {
            throw YAMLProblem(
                mark: event.start, message: "a key must be text, not \(isMapping ? "an object" : "a list")")
        }
        guard stack.count < limits.depth else { throw tooDeep(event.start) }
        let usualTag = isMapping ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq"
        if let tag = event.tag, tag != usualTag, tag != "!" { reportTag(tag, event) }
        if let anchor = event.anchor { openAnchors.insert(anchor) }
        stack.append(Frame(isMapping: isMapping, start: event.start, anchor: event.anchor))
    }

    private mutating func closeFrame(_ event: YAMLEvent) throws(YAMLProblem) {
        guard var frame = stack.popLast() else { return }
        if let anchor = frame.anchor { openAnchors.remove(anchor) }
        for merge in frame.merges { try apply(merge, to: &frame) }
        let content: YAMLNode.Content = frame.isMapping ? .mapping(frame.pairs) : .sequence(frame.elements)
        let node = YAMLNode(content: content, start: frame.start, end: event.end)
        try add(Built(node: node, size: frame.size, height: frame.height), anchor: frame.anchor)
    }

    /// Puts a finished value where it belongs.
    private mutating func add(_ built: Built, anchor: String?) throws(YAMLProblem) {
        if let anchor { anchors[anchor] = built }
        guard var frame = stack.popLast() else {
            root = built.node
            return
        }
        defer { stack.append(frame) }
        guard frame.isMapping else {
            frame.elements.append(built.node)
            frame.absorb(built)
            return
        }
        guard let key = frame.key else {
            frame.key = self.key(of: built, lines: &frame.lines)
            return
        }
        frame.key = nil
        if key.isDuplicate { return }
        if key.isMerge {
            frame.merges += try mergeSources(built)
        } else {
            frame.pairs.append(YAMLPair(key: key.text, keyStart: key.start, keyEnd: key.end, value: built.node))
            frame.absorb(built)
        }
    }

    private func key(of built: Built, lines: inout [String: Int]) -> Key {
        let node = built.node
        guard let scalar = node.scalar else {
            // Only an alias can bring a list or object here; an unfinished one is refused in `open`.
            sink.error(at: Spot(mark: node.start), "a key must be text, not \(node.kindDescription)")
            return Key(text: "", start: node.start, end: node.end, isMerge: false, isDuplicate: true)
        }
        var key = Key(
            text: scalar.text, start: node.start, end: node.end,
            isMerge: scalar.style == .plain && scalar.text == "<<")
        if let line = lines.updateValue(node.start.line, forKey: key.text), !key.isMerge {
            lines[key.text] = line
            sink.error(
                at: Spot(from: node.start, to: node.end), "the key '\(key.text)' is there twice",
                hint: "it is also in line \(line); remove one of them")
            key.isDuplicate = true
        }
        return key
    }

    // MARK: Aliases and merge keys

    private mutating func alias(_ name: String, _ event: YAMLEvent) throws(YAMLProblem) -> Built {
        let length = Spot(from: event.start, to: event.end).length
        if openAnchors.contains(name) {
            throw YAMLProblem(mark: event.start, length: length, message: "'*\(name)' stands inside of what it names")
        }
        guard let built = anchors[name] else {
            throw YAMLProblem(
                mark: event.start, length: length, message: "unknown alias '*\(name)'",
                hint: "a value is named with '&\(name)' before",
                suggestion: NearestName.find(name, among: anchors.keys.sorted()).map { "*\($0)" })
        }
        try count(built, at: event.start)
        guard stack.count + built.height <= limits.depth else { throw tooDeep(event.start) }
        return built
    }

    private mutating func count(_ built: Built, at mark: Mark) throws(YAMLProblem) {
        aliasedNodes += built.size
        guard aliasedNodes <= limits.aliasedNodes else {
            throw YAMLProblem(
                mark: mark, message: "aliases in this text stand for more than \(limits.aliasedNodes) values",
                hint: "write the values out, or use fewer aliases")
        }
    }

    private func mergeSources(_ built: Built) throws(YAMLProblem) -> [Built] {
        let candidates = built.node.sequence ?? [built.node]
        for candidate in candidates where candidate.mapping == nil {
            throw YAMLProblem(
                mark: candidate.start,
                message: "'<<' takes an object or a list of objects, not \(candidate.kindDescription)")
        }
        return candidates.map { Built(node: $0, size: built.size, height: built.height) }
    }

    private mutating func apply(_ merge: Built, to frame: inout Frame) throws(YAMLProblem) {
        try count(merge, at: merge.node.start)
        for pair in merge.node.mapping ?? [] where frame.lines[pair.key] == nil {
            frame.lines[pair.key] = pair.keyStart.line
            frame.pairs.append(pair)
        }
        frame.absorb(merge)
    }

    // MARK: Scalars

    private func scalar(_ text: String, _ style: YAMLScalar.Style, _ event: YAMLEvent) -> Built {
        let isKey = stack.last.map { $0.isMapping && $0.key == nil } ?? false
        let isVerbatim = stack.last?.key.map { Self.verbatimKeys.contains($0.text) } ?? false
        var outcome = VariableSubstitution.Outcome(text: text)
        if !isKey && !isVerbatim { outcome = substitution.apply(to: text) }
        let isBroken = !outcome.problems.isEmpty
        let value = isBroken ? .string : meaning(of: outcome.text, style, event)
        let scalar = YAMLScalar(
            text: outcome.text, value: value, style: style, substitutions: outcome.substitutions,
            isBroken: isBroken)
        let node = YAMLNode(content: .scalar(scalar), start: event.start, end: event.end)
        for problem in outcome.problems {
            let written = YAMLNode(
                content: .scalar(YAMLScalar(text: text, value: .string, style: style)), start: event.start,
                end: event.end)
            sink.error(at: sink.spot(in: written, problem.range), problem.message, hint: problem.hint)
        }
        return Built(node: node)
    }

    private func meaning(of text: String, _ style: YAMLScalar.Style, _ event: YAMLEvent) -> YAMLScalarValue {
        switch event.tag {
        case nil: return style == .plain ? YAMLScalarValue(resolving: text) : .string
        case "!", "tag:yaml.org,2002:str": return .string
        case let tag?:
            let resolved = YAMLScalarValue(resolving: text)
            switch (tag, resolved) {
            case ("tag:yaml.org,2002:null", .null), ("tag:yaml.org,2002:bool", .bool),
                ("tag:yaml.org,2002:int", .integer), ("tag:yaml.org,2002:float", .float):
                return resolved
            case ("tag:yaml.org,2002:float", .integer(let integer)): return .float(Double(integer))
            default:
                reportTag(tag, event)
                return .string
            }
        }
    }

    private func reportTag(_ tag: String, _ event: YAMLEvent) {
        let prefix = "tag:yaml.org,2002:"
        let short = tag.hasPrefix(prefix) ? "!!" + tag.dropFirst(prefix.count) : tag
        sink.error(
            at: Spot(mark: event.start), "the tag '\(short)' does not fit here or is not known",
            hint: "leave the tag away")
    }

    private func tooDeep(_ mark: Mark) -> YAMLProblem {
        YAMLProblem(mark: mark, message: "more than \(limits.depth) levels of nesting")
    }
}

extension YAMLTreeBuilder.Frame {
    /// Takes the size of a value that was put into this one.
    fileprivate mutating func absorb(_ built: YAMLTreeBuilder.Built) {
        size += built.size
        height = max(height, built.height + 1)
    }
}
