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
        reportLoops(connections)
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

    private func reportLoops(_ connections: [ReadConnection]) {
        var readers: [String: [(connection: Int, source: Int, filter: String)]] = [:]
        for (index, read) in connections.enumerated() {
            guard let draft = read.draft, draft.type == .mqtt || draft.type == .mqtt5 else { continue }
            for (source, sourceIndex) in zip(draft.sources, read.sourceIndices) {
                for filter in source.addresses {
                    readers[broker(draft), default: []].append((index, sourceIndex, filter))
                }
            }
        }
        for read in connections {
            guard let draft = read.draft, draft.type == .mqtt || draft.type == .mqtt5 else { continue }
            for (target, targetIndex) in zip(draft.targets, read.targetIndices) where !target.topics.isEmpty {
                guard
                    let reader = readers[broker(draft)]?.first(where: {
                        TopicOverlap.admits($0.filter, target.address.text)
                    })
                else { continue }
                let path: ConfigurationPath = ["targets", .index(targetIndex), "address"]
                sink.warning(
                    at: read.spot(at: path), path: path,
                    "what this target sends comes back through source \(reader.source + 1) of connection "
                        + "'\(connections[reader.connection].id?.value ?? "")'",
                    hint: "its filter '\(reader.filter)' admits this address; send to one that no source reads")
            }
        }
    }
}
