// Reads `access` of `twinspan.yaml` (spec/policies-search.md A.4, A.7–A.10).
import TwinspanExpressions
import TwinspanProtocol

extension ConfigurationReader {
    private typealias Fields = AccessFields

    /// What is not given, or wrong, is as in Ditto.
    func access(_ fields: ObjectReader) -> AccessConfiguration {
        var access = AccessConfiguration()
        access.namespacePolicies = namespacePolicies(fields.value(Fields.namespacePolicies))
        if let creation = object(fields.value(Fields.entityCreation), Fields.creationGroup, "'entityCreation'") {
            access.creation = self.creation(creation)
        }
        access.lockoutPrevention = fields.value(Fields.lockoutPrevention)
        access.partialAccessEvents = fields.value(Fields.partialAccessEvents)
        access.subjectExpiryGranularity = fields.value(Fields.subjectExpiryGranularity)
        if let template = fields.value(Fields.tokenIntegrationSubject), isTokenSubject(template) {
            access.tokenIntegrationSubject = template.value
        }
        if let part = object(fields.value(Fields.announcements), Fields.announcementsGroup, "'announcements'") {
            access.announcements.granularity = part.value(Fields.granularity)
            access.announcements.randomizationInterval = part.value(Fields.randomizationInterval)
            access.announcements.gracePeriod = part.value(Fields.gracePeriod)
            access.announcements.timeoutMax = part.value(Fields.timeoutMax)
            access.announcements.whenDeleted = part.value(Fields.whenDeleted)
        }
        return access
    }

    private func object(_ part: Located<YAMLNode>?, _ group: FieldGroup, _ owner: String) -> ObjectReader? {
        part.flatMap { ObjectReader($0.value, group, path: $0.path, owner: owner, sink: sink) }
    }

    private func error(_ text: Located<String>, _ message: String, hint: String, suggestion: String? = nil) {
        sink.error(at: Spot(of: text.node), path: text.path, message, hint: hint, suggestion: suggestion)
    }

    // MARK: Policies of namespaces

    private func namespacePolicies(_ part: Located<YAMLNode>?) -> [AccessConfiguration.NamespacePolicies] {
        var rules: [AccessConfiguration.NamespacePolicies] = []
        for pair in part?.value.mapping ?? [] {
            let path = part?.path.key(pair.key) ?? .root
            let isLegal = Self.isNamespacePattern(pair.key)
            if !isLegal {
                sink.error(
                    at: Spot(keyOf: pair), path: path, "'\(pair.key)' is not a namespace pattern",
                    hint: Self.patternHint(pair.key))
            }
            let place = FieldPlace(sink: sink, path: path, name: pair.key)
            guard let texts = FieldDecoding.texts(pair.value, place) else { continue }
            if texts.isEmpty, pair.value.sequence?.isEmpty == true {
                sink.warning(at: Spot(of: pair.value), path: path, "'\(pair.key)' has no policies")
            }
            var policies: [PolicyID] = []
            for text in texts {
                do throws(TwinspanError) {
                    let id = try PolicyID(text.value)
                    if policies.contains(id) {
                        sink.warning(at: Spot(of: text.node), path: text.path, "the policy '\(id)' is there twice")
                    } else {
                        policies.append(id)
                    }
                } catch {
                    self.error(
                        text, "'\(text.value)' is not the id of a policy", hint: "write namespace:name, e.g. acme:root")
                }
            }
            if isLegal { rules.append(AccessConfiguration.NamespacePolicies(pattern: pair.key, policies: policies)) }
        }
        return rules
    }

    /// An exact namespace, `<namespace>.*` or `*` (A.7).
    private static func isNamespacePattern(_ text: String) -> Bool {
        text == "*" || NamespacePattern(text) != nil
    }

    private static func patternHint(_ text: String) -> String {
        let stem = String(text.reversed().drop { "*?.".contains($0) }.reversed())
        guard text.hasSuffix("*"), isNamespacePattern(stem) else {
            return "use a namespace, a namespace followed by '.*', or '*'"
        }
        return "write '\(stem).*' for everything below '\(stem)', '\(stem)' for itself"
    }

    // MARK: Creation

    private func creation(_ fields: ObjectReader) -> AccessConfiguration.Creation {
        var creation = AccessConfiguration.Creation()
        if let rules = rules(fields.value(Fields.grant)) {
            creation.grant = rules
            if rules.isEmpty, let pair = fields.pair("grant"), pair.value.sequence?.isEmpty == true {
                sink.warning(
                    at: Spot(of: pair.value), path: fields.path.key("grant"), "nobody may create anything",
                    hint: "leave 'grant' out to let everybody create")
            }
        }
        if let rules = rules(fields.value(Fields.revoke)) {
            creation.revoke = rules
            let nodes = fields.pair("revoke")?.value.sequence ?? []
            for (index, node) in nodes.enumerated() where node.mapping?.isEmpty == true {
                sink.warning(
                    at: Spot(of: node), path: fields.path.key("revoke").index(index),
                    "this rule matches everything, so nobody may create anything", hint: "say what is refused")
            }
        }
        return creation
    }

    /// The rules of a list. One with an error may match more than was meant; the start is refused because of the error.
    private func rules(_ part: Located<YAMLNode>?) -> [AccessConfiguration.CreationRule]? {
        guard let part, let nodes = part.value.sequence else { return nil }
        return nodes.enumerated().map { index, node in
            let path = part.path.index(index)
            guard
                let fields = ObjectReader(
                    node, Fields.ruleGroup, path: path, owner: "rule \(index + 1)", sink: sink)
            else { return AccessConfiguration.CreationRule() }
            return rule(fields)
        }
    }

    private func rule(_ fields: ObjectReader) -> AccessConfiguration.CreationRule {
        typealias Entity = AccessConfiguration.Entity
        var rule = AccessConfiguration.CreationRule()
        for text in fields.value(Fields.resourceTypes) {
            if let entity = Entity(rawValue: text.value) {
                rule.resourceTypes.append(entity)
            } else {
                let words = Entity.allCases.map(\.rawValue)
                error(
                    text, "unknown resource type '\(text.value)'", hint: "allowed: \(words.joined(separator: ", "))",
                    suggestion: NearestName.find(text.value, among: words))
            }
        }
        for text in fields.value(Fields.namespaces) {
            if text.value.utf8.allSatisfy(Self.canStandInNamespacePattern) {
                rule.namespaces.append(text.value)
            } else {
                error(
                    text, "'\(text.value)' matches no namespace",
                    hint: "namespaces have letters, digits, '_', '.' and '-'; '*' and '?' are wildcards")
            }
        }
        for text in fields.value(Fields.authSubjects) {
            if text.value.isEmpty {
                error(text, "an empty pattern matches no subject", hint: "use '*' for any, or leave the list out")
            } else {
                rule.authSubjects.append(text.value)
            }
        }
        rule.thingDefinitions = definitions(fields.value(Fields.thingDefinitions))
        if !rule.thingDefinitions.isEmpty, rule.resourceTypes == [.policy], let pair = fields.pair("thingDefinitions") {
            sink.warning(
                at: Spot(keyOf: pair), path: fields.path.key("thingDefinitions"), "policies have no definition",
                hint: "remove it, or add 'thing' to the resource types")
        }
        return rule
    }

    private static func canStandInNamespacePattern(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "*"), UInt8(ascii: "?"):
            true
        default: false
        }
    }

    private func definitions(_ part: Located<YAMLNode>?) -> [String?] {
        guard let part else { return [] }
        var patterns: [String?] = []
        for (index, node) in (part.value.sequence ?? []).enumerated() {
            if node.isNull {
                patterns.append(nil)
                continue
            }
            let place = FieldPlace(sink: sink, path: part.path.index(index), name: "thingDefinitions")
            guard let text = FieldDecoding.text(node, place) else { continue }
            if text.value.isEmpty {
                error(text, "an empty pattern matches no definition", hint: "write null for a thing without one")
            } else {
                patterns.append(text.value)
            }
        }
        return patterns
    }

    // MARK: Token integration

    private func isTokenSubject(_ text: Located<String>) -> Bool {
        guard let template = TemplateReader(sink: sink).template(text, .tokenIntegrationSubject) else { return false }
        guard let constant = template.constant else { return true }
        guard let colon = constant.utf8.firstIndex(of: UInt8(ascii: ":")),
            constant.utf8.index(after: colon) != constant.utf8.endIndex
        else {
            error(
                text, "'\(text.value)' is not a subject id",
                hint: "write issuer:subject, e.g. integration:{{policy-entry:label}}:{{jwt:aud}}")
            return false
        }
        sink.warning(
            at: Spot(of: text.node), path: text.path, "all tokens are given the same subject",
            hint: "use placeholders such as {{jwt:aud}}")
        return true
    }
}
