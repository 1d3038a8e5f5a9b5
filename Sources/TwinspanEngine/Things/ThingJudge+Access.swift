// Under which conditions a command is carried out (spec/protocol.md §6.1, §10).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension ThingJudge {
    /// READ on every field that a condition names, before anything else is told about the thing (§10.3, §10.4).
    func requireReadOfConditions() throws(TwinspanError) {
        guard let terms else { return }
        if let condition = terms.condition { try access.requireRead(of: condition) }
        for condition in terms.patchConditions { try access.requireRead(of: condition.filter) }
    }

    /// What is checked once it is known that the caller may do it: the metadata headers, then the condition.
    func checkTerms() throws(TwinspanError) {
        guard let terms else { return }
        if terms.hasMetadataConflict { throw ThingErrorTable.metadataHeadersConflict.error() }
        guard let condition = terms.condition else { return }
        guard access.holds(condition) else { throw ThingErrorTable.conditionFailed.error() }
    }

    // MARK: Entity tags

    /// if-match before if-none-match, on the addressed resource (§10.2). The tag is computed only if it is asked for.
    func checkEntityTags(_ tag: @autoclosure () -> String?) throws(TwinspanError) {
        guard let preconditions = terms?.preconditions, preconditions.needsTag else { return }
        do throws(TwinspanError) {
            try preconditions.check(
                tag: matchable(tag()), isRetrieve: command.action == .retrieve,
                failed: ThingErrorTable.preconditionFailed,
                notModified: ThingErrorTable.preconditionNotModified)
        } catch {
            throw withoutHiddenTag(error)
        }
    }

    /// The tag as lists of tags are compared with. Who may read nothing of a part cannot find out by guessing tags what
    /// is there: for him no listed tag hits, only `*` does.
    private func matchable(_ tag: String?) -> String? {
        if tag == nil || command.resource.kind == .thing || access.mayReadPart(of: path) { return tag }
        // Listed tags are quoted.
        return "hidden"
    }

    /// Who may not read the resource is not told its tag: it would say whether a guess at its value is right.
    func withoutHiddenTag(_ error: TwinspanError) -> TwinspanError {
        guard error.etag != nil, !access.mayReadPart(of: path) else { return error }
        var error = error
        error.etag = nil
        return error
    }

    /// The tag of the addressed resource. That of a part is made of what the caller may read of it: 32 bits of the rest
    /// would be enough to find it out by trying. Who may read nothing has its tag only for what he has written himself.
    func entityTag(revision: Int64, _ value: JSONText?) -> String? {
        guard let value else { return nil }
        if command.resource.kind == .thing { return EntityTags.tag(revision: revision) }
        guard value.isObject, !access.may(.read, path) else { return EntityTags.tag(of: value) }
        let visible = access.enforcer.view(
            of: value.value, type: .thing, base: path, subjects: access.context, namespace: access.namespace)
        return EntityTags.tag(of: visible.map { JSONText($0) } ?? value)
    }

    // MARK: if-equal

    /// The 412 of a change that would change nothing (§10.5).
    var skippedAsEqual: TwinspanError {
        var error = ThingErrorTable.preconditionFailed.error(
            description: "The value equals the stored one, and 'if-equal' asks to skip such changes.")
        error.etag = entityTag(revision: state.revision, current)
        return withoutHiddenTag(error)
    }
}
