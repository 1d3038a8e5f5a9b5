import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Every error code of spec/protocol.md §12 that things, policies, messages and acknowledgements can raise is raised
/// by an envelope.
@Suite("Error codes")
struct ErrorCodeTests {
    @Test("the error is answered as the specification has it", arguments: ErrorCodeRows.all)
    func raised(row: ErrorCodeRow) throws {
        let rig = try SignalRig(limits: row.limits)
        // A row may have stopped the store, which the end of the engine would wait for.
        defer {
            rig.rig.store.state.update { state in
                state.isBlocked = false
                state.failingOpens = 0
            }
        }
        let answer = try row.trigger(rig)
        #expect(answer.status == row.status)
        #expect(answer.topic.criterion == .errors)
        #expect(answer.path.isRoot)
        #expect((answer.headers.correlationID, answer.headers["x-own"]) == ("c", "kept"))
        #expect(answer.headers["content-type"] == "application/json")
        let error = try #require(answer.value?.value.object)
        #expect(error["error"]?.string == row.code)
        #expect(error["status"]?.int64 == Int64(row.status))
        #expect(error["message"]?.string?.isEmpty == false)
        #expect(error["description"]?.string?.isEmpty == false)
        let page = "https://www.eclipse.dev/ditto/basic-namespaces-and-names.html#namespaced-id"
        let isAboutID = ["things:id.invalid", "policies:id.invalid"].contains(row.code)
        #expect(error["href"]?.string == (isAboutID ? page : nil))
        let known: Set<String> = ["status", "error", "message", "description", "href"]
        #expect(Set(error.members.map(\.key)).isSubset(of: known))
    }

    /// Why no envelope of these groups raises a code.
    static let excepted: [String: String] = [
        "things:attribute.pointerinvalid": "in envelopes a trailing slash is ignored (§3.1)",
        "things:field.selection.invalid": "extra fields belong to subscriptions",
        "things:policy.id.missing": "declared only: a policy is made where none is named",
        "things:policy.id.notallowed": "declared only (§2.1)",
        "things:policy.notallowed": "declared only (§2.1)",
        "policies:action.failed": "actions on policies are reached over HTTP only (§6.3)",
        "messages:authorization.blocked": "nobody is blocked from sending messages",
        "messages:featureid.invalid": "a path that does not fit is protocoladapter:invalid.path (§7.1)",
        "messages:id.invalid": "historic: things:id.invalid is raised (§1.1)",
        "messages:messageformat.invalid": "any payload can be carried; paths are protocoladapter:invalid.path",
        "acknowledgement:request.duplicate.correlation-id": "correlation ids are made unique instead (§8.4)",
        "connectivity:connection.id.enforcement.failed": "raised by the sources of connections",
        "connectivity:message.mapping.failed": "raised by the mappers of connections",
        "connectivity:message.sending.failed": "raised by the targets of connections",
        "placeholder:unresolved": "raised by the placeholders of connections",
        "placeholder:function.signature.invalid": "raised by the placeholders of connections",
        "placeholder:function.too.complex": "raised by the placeholders of connections",
        "placeholder:function.unknown": "raised by the placeholders of connections",
        "placeholder:placeholder.notresolvable": "raised by the placeholders of connections",
        "json.format.invalid": "a fallback: every failure has a code of its own",
        "headers.too.large": "measured at the HTTP door and in connections (§13)",
        "gateway:authentication.failed": "raised at the HTTP door",
        "gateway:method.notallowed": "raised at the HTTP door",
        "gateway:service.unavailable": "raised at the HTTP door",
        "gateway:duplicate.header.field": "raised at the HTTP door",
        "internalerror": "no input is known that raises it",
        "ask.error": "nothing is asked across processes",
        "command.headers.invalid": "declared only: header.invalid says more",
        "enforcement.timeout": "authorization does not wait for anything",
        "entity.notcreatable": "creation is not restricted by configuration yet",
        "json.type.notparsable": "belongs to piggyback commands",
        "namespace.blocked": "belongs to administrative commands",
        "namespacedentity.id.invalid": "every id is of a thing, a policy or a connection",
        "pubsub:abnormal.termination": "signals are handed on within the process",
        "signal.enrichment.failed": "extra fields belong to subscriptions",
        "signals.commands:path.unknown": "envelopes are told protocoladapter:unknown.path",
        "protocoladapter:unknown.channel": "the topic is refused first (§4.1)",
        "protocoladapter:unknown.command": "the topic is refused first (§4.1)",
        "protocoladapter:unknown.event": "the topic is refused first (§4.1)",
        "protocoladapter:unknown.response": "the topic is refused first (§4.1)",
        "protocoladapter:unknown.signal": "the topic is refused first (§4.1)",
    ]

    @Test("every code is either raised above, or it is said why it cannot be")
    func complete() {
        let tables =
            ThingErrorTable.all + PolicyErrorTable.all + MessageErrorTable.all + AckErrorTable.all
            + GeneralErrorTable.all + PlaceholderErrorTable.all
        let codes = Set(tables.map(\.code))
        let raised = Set(ErrorCodeRows.all.map(\.code))
        let excused = Set(Self.excepted.keys)
        #expect(codes.subtracting(raised).subtracting(excused).sorted() == [])
        #expect(excused.subtracting(codes).sorted() == [])
        #expect(excused.intersection(raised).sorted() == [])
        #expect(raised.subtracting(ErrorTables.all.map(\.code)).sorted() == [])
    }

    @Test("the status is that of the table, apart from a creation that takes it from its policy")
    func statuses() {
        let table = Dictionary(uniqueKeysWithValues: ErrorTables.all.map { ($0.code, $0.status) })
        for row in ErrorCodeRows.all where row.code != ThingErrorTable.notCreatable.code {
            #expect(table[row.code] == row.status, "\(row.code)")
        }
    }
}
