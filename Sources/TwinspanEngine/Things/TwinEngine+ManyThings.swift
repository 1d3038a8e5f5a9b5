// Several things in one answer (spec/protocol.md §6.2, RetrieveThings): each is retrieved by itself, because no two
// shards are ever locked at once.
public import TwinspanJSON
public import TwinspanProtocol

extension TwinEngine {
    /// The things that exist and can be read, as an array in the order of the request. May read from the store.
    /// Fails with `things:things.ids.missing`, or `things:id.invalid` for an id outside the namespace of the topic.
    public func execute(_ command: RetrieveThings, as context: AuthorizationContext) -> Outcome<JSONText> {
        collect(command) { execute($0, as: context) } ?? refusedWhileClosed()
    }

    /// As `execute`, but returns nil instead of reading from the store.
    public func executeIfLoaded(_ command: RetrieveThings, as context: AuthorizationContext) -> Outcome<JSONText>? {
        collect(command) { executeIfLoaded($0, as: context) }
    }

    private func collect(
        _ command: RetrieveThings, _ retrieve: (ThingCommand) -> Outcome<ThingResponse>?
    ) -> Outcome<JSONText>? {
        if let error = command.fault { return failed(error, 0) }
        // Sequences of different epochs cannot be compared; a second epoch means that the store has failed meanwhile.
        for _ in 0..<4 {
            let epoch = gate.epoch
            var newest: Int64 = 0
            var isOneEpoch = true
            var array: [UInt8] = [UInt8(ascii: "[")]
            for id in command.thingIDs {
                let one = ThingCommand(thingID: id, action: .retrieve, resource: .root, fields: command.fields)
                guard let outcome = retrieve(one) else { return nil }
                newest = max(newest, outcome.ticket.sequence)
                isOneEpoch = isOneEpoch && outcome.ticket.epoch == epoch
                switch outcome.result {
                case .success(let response):
                    if array.count > 1 { array.append(UInt8(ascii: ",")) }
                    array.append(contentsOf: response.value?.bytes ?? [])
                case .failure(let error):
                    // A thing that is absent or hidden is left out; anything else would make a wrong list.
                    guard error.status == 404 else { return Outcome(result: .failure(error), ticket: outcome.ticket) }
                }
            }
            guard isOneEpoch else { continue }
            array.append(UInt8(ascii: "]"))
            return Outcome(
                result: .success(JSONText(uncheckedBytes: array)),
                ticket: CommitTicket(sequence: newest, epoch: epoch))
        }
        return refusedWhileClosed()
    }
}

extension RetrieveThings {
    /// What is wrong with the command in itself.
    fileprivate var fault: TwinspanError? {
        if thingIDs.isEmpty { return ThingErrorTable.idsMissing.error() }
        guard let namespace, let other = thingIDs.first(where: { $0.namespace != namespace }) else { return nil }
        return ThingErrorTable.idInvalid.error(
            "The thing '\(other)' is not in the namespace '\(namespace)' of the topic.",
            description: "Name things of that namespace only, or use the topic '_/_/things/twin/commands/retrieve'.")
    }
}
