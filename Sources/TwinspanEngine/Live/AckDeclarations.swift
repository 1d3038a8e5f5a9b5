// Which session may issue which acknowledgement (spec/protocol.md §8.2, §8.4). A plain value: its owner guards it.
import TwinspanProtocol

/// The declared labels. A label has one session at a time; a session may declare it for several of its subscriptions.
struct AckDeclarations: Sendable {
    private var owners: [AckLabel: (session: ConnectionID, count: Int)] = [:]

    /// Declares all labels or none. Throws `acknowledgement:ditto.acklabel.forbidden` for a built-in one and
    /// `acknowledgement:label.not.unique` for one that another session has.
    mutating func declare(_ labels: [AckLabel], by session: ConnectionID) throws(TwinspanError) {
        for label in labels {
            if label.isBuiltIn {
                throw AckErrorTable.builtInLabelForbidden.error("The label '\(label)' cannot be declared.")
            }
            if let owner = owners[label], owner.session != session {
                throw AckErrorTable.labelNotUnique.error(
                    "The label '\(label)' is already declared by another subscriber.")
            }
        }
        for label in labels { owners[label, default: (session, 0)].count += 1 }
    }

    /// Takes back what was declared with the same labels before.
    mutating func release(_ labels: [AckLabel], of session: ConnectionID) {
        for label in labels {
            guard var owner = owners[label], owner.session == session else { continue }
            owner.count -= 1
            owners[label] = owner.count > 0 ? owner : nil
        }
    }

    /// Takes back everything of a session.
    mutating func releaseAll(of session: ConnectionID) {
        owners = owners.filter { $0.value.session != session }
    }

    func isDeclared(_ label: AckLabel, by session: ConnectionID) -> Bool {
        owners[label]?.session == session
    }
}
