// What the readers of one signal get of it. A reader's view depends on nothing but the classes of entries he belongs
// to (`ReaderClasses`), so it is computed, and serialised, once for all readers that have the same
// (spec/policies-search.md A.4). Whoever gets everything, or nothing, is known before the value is looked at, and costs
// no more than that.
import Synchronization
public import TwinspanJSON
import TwinspanPolicies

/// What of a signal one reader gets.
public enum SignalView: Sendable {
    /// The signal as it is.
    case full
    /// The signal with a part of its value.
    case part(SignalPart)
    /// Nothing: he must not even be told that there was something.
    case none
}

/// The readable part of a signal's value, shared by all who may read just that.
public final class SignalPart: Sendable {
    public let value: JSONText
    private let serialised = Mutex<[UInt8]?>(nil)

    init(_ value: JSONText) { self.value = value }

    /// The envelope with this value; `make` is called once. Whoever wants it meanwhile waits for it.
    func envelopeBytes(_ make: (JSONText) -> [UInt8]) -> [UInt8] {
        serialised.withLock { cached in
            if let cached { return cached }
            let bytes = make(value)
            cached = bytes
            return bytes
        }
    }

    /// Whether the envelope was made; tests count them.
    var isSerialised: Bool { serialised.withLock { $0 != nil } }
}

/// The views of one signal, by the classes of its readers. The signal holds them in a `Mutex`.
struct SignalViews: Sendable {
    /// One view, computed by whoever asks first; others with the same classes wait for it, all others do not.
    fileprivate final class Entry: Sendable {
        private let view = Mutex<SignalView?>(nil)

        func view(_ make: () -> EventView) -> SignalView {
            view.withLock { known in
                if let known { return known }
                let made: SignalView =
                    switch make() {
                    case .full: .full
                    case .none: .none
                    case .partial(let value): .part(SignalPart(JSONText(value)))
                    }
                known = made
                return made
            }
        }

        var isSerialised: Bool {
            guard case .part(let part)? = view.withLock({ $0 }) else { return false }
            return part.isSerialised
        }
    }

    fileprivate var entries: [ReaderClasses: Entry] = [:]

    /// How many views were computed and how many of them serialised; tests look at it.
    var made: (views: Int, envelopes: Int) {
        (entries.count, entries.values.count { $0.isSerialised })
    }
}

extension Mutex<SignalViews> {
    /// The view of readers with these classes; `make` is called once for them.
    func view(for reader: ReaderClasses, _ make: () -> EventView) -> SignalView {
        let entry = withLock { views in
            if let entry = views.entries[reader] { return entry }
            let entry = SignalViews.Entry()
            views.entries[reader] = entry
            return entry
        }
        // Outside of the lock: it is only for the list.
        return entry.view(make)
    }
}
