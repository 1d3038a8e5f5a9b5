// Merging the templates an entry refers to into it (spec/policies-search.md A.6).
import TwinspanProtocol

extension PolicyEntry {
    /// The entry with the content of its references, in their order, and of its own what all of them allow to add.
    /// A reference that leads nowhere, or to an entry that may never be imported, is passed over.
    ///
    /// - Parameter target: the entry that is meant by a reference, nil when there is none.
    func mergingReferences(target: (Reference) -> PolicyEntry?) -> PolicyEntry {
        if references.isEmpty { return self }
        let targets = references.compactMap { reference in
            target(reference).flatMap { $0.importable == .never ? nil : $0 }
        }
        var content = Content()
        for target in targets {
            content.add(target.subjects)
            content.add(target.resources)
            content.add(target.namespaces)
        }
        let isAllowed = { (addition: AllowedAddition) in
            targets.allSatisfy { $0.allowedAdditions?.contains(addition) ?? true }
        }
        if isAllowed(.subjects) { content.add(subjects) }
        if isAllowed(.resources) { content.add(resources) }
        if isAllowed(.namespaces) { content.add(namespaces) }
        return PolicyEntry(
            label: label, subjects: content.subjects, resources: content.resources, namespaces: content.namespaces,
            importable: importable, allowedAdditions: allowedAdditions, references: references)
    }

    /// The entry as the importer of its policy has it: under another label, without references, which are merged by
    /// then.
    func imported(as label: String) -> PolicyEntry {
        PolicyEntry(
            label: label, subjects: subjects, resources: resources, namespaces: namespaces, importable: importable,
            allowedAdditions: allowedAdditions, references: [])
    }

    /// What has been put together so far. The first one to name a subject decides how it is written.
    private struct Content {
        var subjects: [PolicySubject] = []
        var resources: [PolicyResource] = []
        var namespaces: [NamespacePattern]?

        private var subjectIDs: Set<ByteName> = []
        private var resourceNumbers: [ByteName: Int] = [:]

        mutating func add(_ added: [PolicySubject]) {
            for subject in added where subjectIDs.insert(ByteName(text: subject.id)).inserted {
                subjects.append(subject)
            }
        }

        mutating func add(_ added: [PolicyResource]) {
            for resource in added {
                let key = ByteName(text: resource.key)
                if let number = resourceNumbers[key] {
                    resources[number] = resources[number].united(with: resource)
                } else {
                    resourceNumbers[key] = resources.count
                    resources.append(resource)
                }
            }
        }

        /// Entries without the field do not widen what others restrict.
        mutating func add(_ added: [NamespacePattern]?) {
            guard let added else { return }
            var united = namespaces ?? []
            for pattern in added where !united.contains(pattern) { united.append(pattern) }
            namespaces = united
        }
    }
}
