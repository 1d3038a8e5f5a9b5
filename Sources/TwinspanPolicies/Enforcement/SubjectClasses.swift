// Who a caller is, seen from a policy. Decisions pool all entries that hold one of the caller's subjects, so a caller
// is a set of entries. Those with the same subjects and namespaces always come together and share one bit, a class;
// usual policies have at most 64 classes, then a caller is one word.
import TwinspanProtocol

/// The classes of a policy's entries, and the way from subject ids to them. Immutable.
struct SubjectClasses: Sendable {
    /// Words per set of classes, at least one.
    let wordCount: Int
    /// Whether some entry counts for certain namespaces only.
    let hasNamespaces: Bool

    /// subject id → its number.
    private let index: ByteIndex
    /// The set of classes of each subject, by number.
    private let sets: [UInt64]
    /// The namespaces of each class; empty for all.
    private let namespaces: [[NamespacePattern]]

    /// Sorts entries into classes. Entries without subjects or resources have none: they never affect a decision.
    ///
    /// - Returns: the classes, and each effective entry with the number of its class.
    static func classify(_ entries: [PolicyEntry]) -> (classes: SubjectClasses, entries: [(PolicyEntry, Int)]) {
        var numbers: [ClassKey: Int] = [:]
        var classes: [ClassKey] = []
        var classified: [(PolicyEntry, Int)] = []
        for entry in entries where !entry.subjects.isEmpty && !entry.resources.isEmpty {
            let key = ClassKey(entry)
            let number = numbers[key] ?? classes.count
            if number == classes.count {
                numbers[key] = number
                classes.append(key)
            }
            classified.append((entry, number))
        }
        return (SubjectClasses(classes), classified)
    }

    private init(_ classes: [ClassKey]) {
        let wordCount = max(1, (classes.count + 63) / 64)
        let members = classes.enumerated().flatMap { number, key in key.subjects.map { ($0, number) } }
        let subjects = Set(members.map(\.0)).sorted()
        var index = ByteIndex(count: subjects.count)
        var numbers: [ByteName: Int] = [:]
        for (number, subject) in subjects.enumerated() {
            index.insert(subject.text, context: 0, value: number)
            numbers[subject] = number
        }
        var sets = Array(repeating: UInt64(0), count: subjects.count * wordCount)
        for (subject, classNumber) in members {
            guard let number = numbers[subject] else { continue }
            sets[number * wordCount + classNumber / 64] |= 1 << UInt64(classNumber % 64)
        }
        self.wordCount = wordCount
        self.index = index
        self.sets = sets
        namespaces = classes.map(\.namespaces)
        hasNamespaces = classes.contains { !$0.namespaces.isEmpty }
    }

    /// Puts the classes of all subjects of a caller into `classes`, which holds `wordCount` zeros. No allocation.
    /// - Returns: whether there are any.
    @inline(__always)
    func collect(_ caller: AuthorizationContext, into classes: UnsafeMutablePointer<UInt64>) -> Bool {
        var isAny = false
        for subject in caller.subjects {
            let number = subject.utf8Span.span.withUnsafeBytes { index.find($0, context: 0) }
            guard let number else { continue }
            isAny = true
            for word in 0..<wordCount { classes[word] |= sets[number * wordCount + word] }
        }
        return isAny
    }

    /// Removes the classes that do not count for a namespace.
    func narrow(_ classes: UnsafeMutablePointer<UInt64>, to namespace: String) {
        for word in 0..<wordCount {
            var rest = classes[word]
            while rest != 0 {
                let bit = rest.trailingZeroBitCount
                rest &= rest - 1
                let patterns = namespaces[word * 64 + bit]
                if !patterns.isEmpty, !patterns.contains(where: { $0.matches(namespace) }) {
                    classes[word] &= ~(1 << UInt64(bit))
                }
            }
        }
    }
}

/// What makes entries one class: the same subjects and the same namespaces.
private struct ClassKey: Hashable {
    let subjects: [ByteName]
    let namespaces: [NamespacePattern]

    init(_ entry: PolicyEntry) {
        subjects = entry.subjects.map { ByteName(text: $0.id) }.sorted()
        namespaces = (entry.namespaces ?? []).sorted { $0.text < $1.text }
    }
}
