// What can only be seen when all connections are known: ids and client ids that are used twice, and events that come
// back as messages.
import TwinspanExpressions
import TwinspanProtocol

/// Checks all connections of all files against each other.
struct ConnectionSetChecks {
    let sink: DiagnosticSink

    /// Reports what does not fit together and marks the connections that cannot be used for it.
    func check(_ connections: inout [ReadConnection]) {
        reportDuplicateIDs(&connections)
        reportSharedClientIDs(&connections)
        reportSharedLabels(&connections)
        reportLoops(connections)
        noteOrigin(connections)
    }

    private func place(_ spot: Spot) -> String {
        "\(sink.source(spot.mark.source).name):\(spot.mark.line):\(spot.mark.column)"
    }

    private func reportDuplicateIDs(_ connections: inout [ReadConnection]) {
        var places: [String: Spot] = [:]
        for index in connections.indices {
            guard let id = connections[index].id else { continue }
            let spot = Spot(of: id.node)
            guard let first = places[id.value] else {
                places[id.value] = spot
                continue
            }
            sink.error(
                at: spot, path: id.path, "the id '\(id.value)' is used twice", hint: "it is also in \(place(first))")
            connections[index].isUsable = false
        }
    }

    private func broker(_ connection: Connection) -> String {
        "\(connection.uri.host.lowercased()):\(connection.uri.port)"
    }

    /// A broker closes the older of two sessions with one client id, so the two would throw each other out for ever.
    private func reportSharedClientIDs(_ connections: inout [ReadConnection]) {
        var holders: [String: Int] = [:]
        for index in connections.indices {
            guard let draft = connections[index].draft, draft.type == .mqtt || draft.type == .mqtt5, draft.isOpen
            else { continue }
            for (setting, clientID) in clientIDs(draft) where !clientID.isEmpty {
                let key = "\(broker(draft)) \(clientID)"
                guard let other = holders.updateValue(index, forKey: key), other != index else { continue }
                let path = ConfigurationPath(["specificConfig"]).key(setting)
                let settingSpot = connections[index].spot(at: path)
                let otherID = connections[other].id?.value ?? ""
                sink.error(
                    at: settingSpot, path: path,
                    "the client id '\(clientID)' is used by connection '\(otherID)' on the same broker",
                    hint: "\(place(connections[other].spot(at: path))) has it too; "
                        + "give each connection a clientId of its own")
                connections[index].isUsable = false
                break
            }
        }
    }

    /// Client ids with the setting they come from. Consumer and publisher are always two clients.
    private func clientIDs(_ connection: Connection) -> [(setting: String, id: String)] {
        let clientID = connection.specificConfig["clientId"] ?? connection.id.text
        var ids = [("clientId", clientID)]
        let publishes = !connection.targets.isEmpty || connection.sources.contains { $0.replyTarget != nil }
        if publishes, !clientID.isEmpty {
            ids.append(("publisherId", connection.specificConfig["publisherId"] ?? clientID + "p"))
        }
        return ids
    }

    /// The labels of a connection are its own in the whole process (spec/connectivity.md §6.4).
    private func reportSharedLabels(_ connections: inout [ReadConnection]) {
        var owners: [AckLabel: Int] = [:]
        for index in connections.indices {
            guard let draft = connections[index].draft else { continue }
            for label in draft.ownLabels.sorted(by: { $0.text < $1.text }) {
                guard let other = owners.updateValue(index, forKey: label), other != index,
                    connections[other].draft?.id != draft.id
                else { continue }
                let path = labelPath(label, in: draft)
                sink.error(
                    at: connections[index].spot(at: connections[index].documentPath(path)),
                    path: connections[index].documentPath(path),
                    "the label '\(label)' belongs to connection '\(connections[other].id?.value ?? "")' too",
                    hint: "labels are unique over all connections; choose another one", as: .labelNotUnique)
                connections[index].isUsable = false
            }
        }
    }

    private func labelPath(_ label: AckLabel, in connection: Connection) -> String {
        for (index, target) in connection.targets.enumerated() where target.issuedAcknowledgementLabel == label {
            return "/targets/\(index)/issuedAcknowledgementLabel"
        }
        for (index, source) in connection.sources.enumerated() {
            guard let place = source.declaredAcks.firstIndex(of: label) else { continue }
            return "/sources/\(index)/declaredAcks/\(place)"
        }
        return ""
    }
}

// MARK: Loops

extension ConnectionSetChecks {
    /// A source that reads at a broker.
    private struct Reader {
        let connection: Int
        /// Index in the document.
        let source: Int
        let filter: String
    }

    private func reportLoops(_ connections: [ReadConnection]) {
        var readers: [String: [Reader]] = [:]
        for (index, read) in connections.enumerated() {
            guard let draft = read.draft, let key = LoopAddress.broker(of: draft) else { continue }
            for (source, sourceIndex) in zip(draft.sources, read.sourceIndices) {
                for filter in source.addresses {
                    readers[key, default: []].append(
                        Reader(connection: index, source: sourceIndex, filter: filter))
                }
            }
        }
        for read in connections {
            guard let draft = read.draft, let key = LoopAddress.broker(of: draft) else { continue }
            let here = readers[key] ?? []
            for (target, targetIndex) in zip(draft.targets, read.targetIndices) where !target.topics.isEmpty {
                report(
                    target.address.text, at: ["targets", .index(targetIndex), "address"], "what this target sends",
                    here, read, connections)
            }
            for (source, sourceIndex) in zip(draft.sources, read.sourceIndices) {
                guard let reply = source.replyTarget, reply.isEnabled else { continue }
                report(
                    reply.address.text, at: ["sources", .index(sourceIndex), "replyTarget", "address"],
                    "an answer sent here", here, read, connections)
            }
        }
    }

    private func report(
        _ address: String, at path: ConfigurationPath, _ what: String, _ readers: [Reader], _ read: ReadConnection,
        _ connections: [ReadConnection]
    ) {
        guard let type = read.draft?.type,
            let reader = readers.first(where: { LoopAddress.reaches($0.filter, from: address, type) })
        else { return }
        let owner = connections[reader.connection].id?.value ?? ""
        sink.warning(
            at: read.spot(at: path), path: path,
            "\(what) comes back through source \(reader.source + 1) of connection '\(owner)'",
            hint: type == .mqtt || type == .mqtt5
                ? "its filter '\(reader.filter)' admits this address; send to one that no source reads"
                : "it reads '\(reader.filter)'; send to an address that no source reads")
    }

    /// The rule of origin surprises everybody once: telemetry in and events out on one broker are two connections.
    private func noteOrigin(_ connections: [ReadConnection]) {
        for read in connections {
            guard let draft = read.draft, !draft.sources.isEmpty,
                let index = draft.targets.firstIndex(where: { $0.topics.contains { $0.kind == .twinEvents } })
            else { continue }
            let path: ConfigurationPath = ["targets", .index(read.targetIndices[index]), "topics"]
            sink.note(
                at: read.spot(at: path), path: path,
                "what comes in through the sources of this connection is never sent to its own targets",
                hint: "to send those events too, put the target into a connection of its own")
        }
    }
}
