// Under which conditions a command is carried out (spec/protocol.md §6.1, §10).
import TwinspanJSON
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
                tag: tag(), isRetrieve: command.action == .retrieve, failed: ThingErrorTable.preconditionFailed,
                notModified: ThingErrorTable.preconditionNotModified)
        } catch {
            throw withoutHiddenTag(error)
        }
    }

    /// Who may not read the resource is not told its tag: it would say whether a guess at its value is right.
    func withoutHiddenTag(_ error: TwinspanError) -> TwinspanError {
        guard error.etag != nil, !access.mayReadPart(of: path) else { return error }
        var error = error
        error.etag = nil
        return error
    }

    func entityTag(revision: Int64, _ value: JSONText?) -> String? {
        guard let value else { return nil }
        return command.resource.kind == .thing ? EntityTags.tag(revision: revision) : EntityTags.tag(of: value)
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
