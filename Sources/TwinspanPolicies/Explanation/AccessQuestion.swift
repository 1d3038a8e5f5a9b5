// What somebody wants explained: may these subjects do this there? Read from the texts that people type; each mistake
// says what would be right.
public import TwinspanJSON
public import TwinspanProtocol

/// A question about access, to be put to a resolved policy.
public struct AccessQuestion: Sendable, Equatable {
    /// The subjects of the caller, each once; they are pooled.
    public let subjects: [String]
    public let permission: Permission
    public let type: PolicyResourceType
    public let path: JSONPointer
    /// The thing that is meant; nil when only a namespace, or the policy itself, is.
    public let thing: ThingID?
    /// The namespace of the thing; nil where none was named.
    public let namespace: String?

    /// `<type>:/<path>`.
    public var resource: String { "\(type.name):\(path)" }

    /// The namespace that entries are narrowed by, that of the policy where none was named. The policy's own resources
    /// are not narrowed (spec/policies-search.md A.3 step 1).
    public func namespace(under policy: PolicyID) -> String { namespace ?? policy.namespace }

    /// Makes a question; `namespace` is that of `thing` where there is one.
    public init(
        subjects: [String], permission: Permission, type: PolicyResourceType, path: JSONPointer,
        thing: ThingID? = nil, namespace: String? = nil
    ) {
        self.subjects = subjects.reduce(into: []) { known, subject in
            if !known.contains(where: { $0.hasSameBytes(as: subject) }) { known.append(subject) }
        }
        self.permission = permission
        self.type = type
        self.path = path
        self.thing = thing
        self.namespace = thing?.namespace ?? namespace
    }

    /// Reads a question.
    ///
    /// - Parameters:
    ///   - resource: `<type>:/<path>`.
    ///   - permission: `READ`, `WRITE` or `EXECUTE`, in any case.
    ///   - nearest: the candidate that a mistyped word most likely means.
    public static func parse(
        subjects: [String], resource: String?, permission: String?, thing: ThingID?, namespace: String?,
        nearest: (String, [String]) -> String?
    ) throws(AccessQuestionFault) -> AccessQuestion {
        guard !subjects.isEmpty, !subjects.contains("") else {
            throw AccessQuestionFault(
                "It is not said who is meant.", hint: "Name a subject as policies have it, e.g. nginx:ditto.")
        }
        guard let permission, !permission.isEmpty else {
            throw AccessQuestionFault("The permission is missing.", hint: "Use \(permissionList).")
        }
        guard let known = Permission(name: permission.uppercased()) else {
            let guess = nearest(permission.uppercased(), Permission.allCases.map(\.name))
            throw AccessQuestionFault(
                "There is no permission '\(permission.shortened)'.",
                hint: (guess.map { "Did you mean \($0)? " } ?? "") + "Use \(permissionList).")
        }
        let (type, path) = try place(resource ?? "", nearest: nearest)
        return AccessQuestion(
            subjects: subjects, permission: known, type: type, path: path, thing: thing, namespace: namespace)
    }

    private static let permissionList = "READ, WRITE or EXECUTE"
    private static let form =
        "A resource is <type>:/<path> with the type thing, policy or message, e.g. thing:/features/x/properties/y."

    private static func place(
        _ text: String, nearest: (String, [String]) -> String?
    ) throws(AccessQuestionFault) -> (PolicyResourceType, JSONPointer) {
        guard !text.isEmpty else { throw AccessQuestionFault("The resource is missing.", hint: form) }
        func fault(_ guess: String?) -> AccessQuestionFault {
            AccessQuestionFault(
                "The resource '\(text.shortened)' is not valid.",
                hint: (guess.map { "Did you mean \($0.shortened)? " } ?? "") + form)
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 2, let type = PolicyResourceType(name: String(parts[0])) else {
            if text.hasPrefix("/") { throw fault("thing:\(text)") }
            let types = PolicyResourceType.allCases.map(\.name)
            let word = String(parts[0])
            if let name = types.first(where: { $0 == word.lowercased() }) ?? nearest(word, types) {
                throw fault("\(name):\(rest.hasPrefix("/") ? rest : "/" + rest)")
            }
            throw fault(nil)
        }
        guard rest.hasPrefix("/") else { throw fault("\(type.name):/\(rest)") }
        do throws(JSONPointerError) {
            return (type, try JSONPointer(parsing: rest))
        } catch {
            throw AccessQuestionFault("The resource '\(text.shortened)' is not valid.", hint: error.description)
        }
    }
}

/// Why a text is no question: two sentences.
public struct AccessQuestionFault: Error, Sendable, Equatable {
    /// What is wrong.
    public let message: String
    /// What would be right.
    public let hint: String

    init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    /// The same for an id that is none.
    public init(_ error: TwinspanError) {
        self.init(error.message, hint: error.description ?? "Ids have the form <namespace>:<name>.")
    }
}

extension String {
    /// Not longer than a reader needs.
    fileprivate var shortened: String { count <= 100 ? self : "\(prefix(100))…" }
}
