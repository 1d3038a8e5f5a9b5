// Who acts: the subjects of a caller, in the order in which authentication gave them.

/// The subject ids under which a command is judged, e.g. `nginx:ditto`. The first is the originator.
///
/// A class, because one context is shared by every message of a source or every request of a session, and travels with
/// each command: a reference costs one retain, an array of strings several.
public final class AuthorizationContext: Sendable, Equatable {
    /// Subject ids, `issuer:subject`. May be empty: then nothing is allowed.
    public let subjects: [String]

    /// Makes a context of the given subjects.
    public init(_ subjects: [String]) {
        self.subjects = subjects
    }

    /// The first subject, under which default policies are made; nil when there is none.
    public var originator: String? { subjects.first }

    public static func == (left: AuthorizationContext, right: AuthorizationContext) -> Bool {
        left === right || left.subjects == right.subjects
    }
}
