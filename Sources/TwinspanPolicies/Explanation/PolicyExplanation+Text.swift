// An explanation as a page for people: the verdict in a sentence, what decides, every statement by depth, and what is
// left out and why. 100 columns.
import TwinspanJSON
import TwinspanProtocol

extension PolicyExplanation {
    /// How a line is meant; a terminal may paint it.
    public enum Tone: Sendable { case allowed, restricted, denied, heading, plain, warning }

    /// A line of the page.
    public typealias Line = (text: String, tone: Tone)

    /// The width that every line fits.
    public static let columns = 100
    /// The most statements below a resource that are shown.
    static let belowMaximum = 20

    /// The page, each line with a line break.
    public var text: String { lines.map { $0.text + "\n" }.joined() }

    /// The page.
    public var lines: [Line] {
        var page = ExplanationPage()
        page.add(summary, verdictTone)
        if let consequence { page.add(consequence, .plain) }
        page.gap()
        page.add(Self.field("decided by", decision), .plain)
        if statements.count > 1 {
            page.heading("at the resource and above it")
            for statement in statements { page.add(row(statement), .plain) }
        }
        if !below.isEmpty {
            page.heading("below the resource")
            for statement in below.prefix(Self.belowMaximum) { page.add(row(statement), .plain) }
            if below.count > Self.belowMaximum {
                page.add("… and \(below.count - Self.belowMaximum) more; all of them are in the JSON", .plain)
            }
        }
        let notes = leftOut
        if !notes.isEmpty {
            page.heading("does not count")
            for note in notes { page.add("  " + note, .warning, indent: 4) }
        }
        return page.lines
    }

    private var verdictTone: Tone {
        switch verdict {
        case .unrestricted: .allowed
        case .restricted, .partial: .restricted
        case .denied: .denied
        }
    }

    private static func field(_ name: String, _ text: String) -> [(String, Int)] { [(name, 12), (text, 0)] }

    // MARK: Sentences

    /// The verdict in one sentence.
    public var summary: String {
        let who = question.subjects.joined(separator: ", ")
        let act = "\(question.permission.name) \(question.resource) of \(object)"
        switch verdict {
        case .unrestricted: return "\(who) may \(act), and everything below it."
        case .restricted: return "\(who) may \(act), but not everything below it."
        case .partial: return "\(who) may not \(act) itself, but parts below it."
        case .denied: return "\(who) may not \(act): \(decisive == nil ? "nothing grants it" : "it is revoked")."
        }
    }

    private var object: String {
        if question.type == .policy { return "the policy \(policy)" }
        if let thing = question.thing { return "\(thing)" }
        let namespace = question.namespace(under: policy)
        return "things \(namespace.isEmpty ? "without a namespace" : "in the namespace \(namespace)")"
    }

    /// What that means for requests; nil where the verdict says it all (A.3.2).
    public var consequence: String? {
        switch (question.type, question.permission, verdict) {
        case (_, _, .unrestricted), (_, .execute, .denied): nil
        case (.message, .read, .restricted): "Messages to exactly this path are delivered."
        case (.message, .read, _): "Messages to exactly this path are not delivered."
        case (.message, .write, _): "Sending a message there is refused with 403: it takes WRITE on all of it."
        case (_, .read, .denied): "Requests for it get 404, as if it were not there."
        case (_, .read, _): "Requests and events show the parts that may be read."
        case (_, .write, .denied): "Changes of it are refused with 403."
        case (_, .write, _):
            "A change of the whole is refused with 403; a merge that touches only allowed parts is not."
        case (_, .execute, _): "Actions on the whole are refused with 403."
        }
    }

    private var decision: String {
        guard let decisive, let reason else {
            let who = question.subjects.count == 1 ? "the subject" : "the subjects"
            return "no entry grants or revokes \(question.permission.name) to \(who) at this path or above it"
        }
        let verb = decisive.effect == .grant ? "grants" : "revokes"
        let whose = decisive.subjects.joined(separator: ", ")
        let act = "entry \(Self.name(decisive.place, decisive.references)) \(verb) \(question.permission.name) on "
        return act + "\(decisive.resource) \(decisive.effect == .grant ? "to" : "for") \(whose); " + why(reason)
    }

    private func why(_ reason: Reason) -> String {
        switch reason {
        case .onlyStatement: "no other statement reaches the resource"
        case .deepest: "no statement that says otherwise is as deep, and the deepest wins"
        case .revokeWinsTie: "a grant is as deep, and on equal depth the revoke wins"
        }
    }

    // MARK: Statements

    /// Depth, effect, resource, and the entry with what else is to be said.
    private func row(_ statement: Statement) -> [(String, Int)] {
        var entry = Self.name(statement.place, statement.references)
        if question.subjects.count > 1 { entry += ", for \(statement.subjects.joined(separator: ", "))" }
        if statement.isVoid { entry += " (void: revoked on the same path)" }
        return [
            ("  depth \(statement.depth)", 10), (statement.effect.rawValue, 7), (statement.resource, resourceWidth + 1),
            (entry, 0),
        ]
    }

    private var resourceWidth: Int {
        min((statements + below.prefix(Self.belowMaximum)).map(\.resource.count).max() ?? 0, 42)
    }

    /// An entry as one finds it: `'viewer' of acme:base (imported)`.
    private static func name(_ place: Place, _ references: [PolicyEntry.Reference] = []) -> String {
        var notes: [String] = []
        var name = "'\(place.sourceLabel)'"
        switch place.origin {
        case .own: break
        case .imported(let way):
            name += " of \(way.last?.text ?? "?")"
            notes.append(way.count > 1 ? "imported through \(Self.list(way.dropLast()))" : "imported")
        case .namespaceRoot(let way):
            name += " of \(way.last?.text ?? "?")"
            notes.append(way.count > 1 ? "by the namespace root \(Self.list(way.dropLast()))" : "namespace root")
        }
        let templates = references.map { reference in
            "'\(reference.entry)'" + (reference.importedPolicy.map { " of \($0)" } ?? "")
        }
        if !templates.isEmpty { notes.append("by reference to \(templates.joined(separator: " and "))") }
        return notes.isEmpty ? name : "\(name) (\(notes.joined(separator: ", ")))"
    }

    private static func list(_ way: some Sequence<PolicyID>) -> String {
        way.map(\.text).joined(separator: ", ")
    }

    // MARK: What is left out

    /// Those that would concern the caller first. Entries without subjects or resources are told together: templates
    /// are made like that.
    private var leftOut: [String] {
        var notes = unknownSubjects.map { subject in
            "subject \(subject.id): no entry names it"
                + (subject.nearest.map { "; did you mean \($0)?" } ?? "")
        }
        notes += missingPolicies.map { "policy \($0): it is imported or a namespace root, but does not exist" }
        notes += passedOver.map { way in
            "import \(way.map(\.text).joined(separator: " → ")): nested too deep, or one of too many, and not followed"
        }
        let ordered = omissions.filter(\.namesCaller) + omissions.filter { !$0.namesCaller }
        for omission in ordered {
            guard case .otherNamespace(let patterns) = omission.reason else { continue }
            notes.append(
                "entry \(Self.name(omission.place)): it counts in \(patterns.joined(separator: ", ")) only, not in "
                    + "\(question.namespace(under: policy))")
        }
        for (reason, what) in [(Omission.Reason.noSubjects, "subjects"), (.noResources, "resources")] {
            let names = ordered.filter { $0.reason == reason }.map { Self.name($0.place) }
            guard !names.isEmpty else { continue }
            notes.append(
                names.count == 1
                    ? "entry \(names[0]): it has no \(what)"
                    : "entries \(names.joined(separator: ", ")): they have no \(what)")
        }
        return notes
    }
}
