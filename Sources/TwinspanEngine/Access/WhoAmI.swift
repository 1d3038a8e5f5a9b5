// Who the caller is, as the engine sees him (spec/policies-search.md F).
public import TwinspanJSON
public import TwinspanProtocol

extension AuthorizationContext {
    /// `{"defaultSubject":"<first subject>","subjects":["…"]}`, in the order in which authentication gave them. Without
    /// subjects the default one is null.
    public var whoAmI: JSONText {
        JSONText([
            "defaultSubject": originator.map { .string($0) } ?? .null,
            "subjects": .array(subjects.map { .string($0) }),
        ])
    }
}
