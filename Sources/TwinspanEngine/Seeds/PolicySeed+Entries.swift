// The entries of a policy of the operator's files, part by part (spec/policies-search.md A.1.1).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension PolicySeedReading {
    mutating func checkEntries(_ json: JSONValue?, hasImports: Bool) {
        guard let json else {
            guard !hasImports else { return }
            problems.add(
                GeneralErrorTable.jsonFieldMissing.error(
                    "The field 'entries' is missing.", description: "A policy needs entries or imports."), at: [])
            return
        }
        for (label, entry) in members(json, at: ["entries"]) ?? [] {
            let path = ["entries", label]
            _ = problems.check(at: path, isAboutKey: true) { () throws(TwinspanError) in
                try PolicyEntry.checkLabel(label)
            }
            guard let parts = members(entry, at: path) else { continue }
            checkKeys(
                parts,
                [
                    "subjects", "resources", "namespaces", "importable", "allowedAdditions", "references",
                ], at: path)
            for (name, value) in parts {
                switch name {
                case "subjects": checkSubjects(value, at: path + [name])
                case "resources": checkResources(value, at: path + [name])
                case "references":
                    guard let elements = value.array else { fallthrough }
                    for (index, element) in elements.enumerated() {
                        checkPart(name, .array([element]), at: path + [name, "\(index)"])
                    }
                case "namespaces", "importable", "allowedAdditions": checkPart(name, value, at: path + [name])
                default: break
                }
            }
        }
    }

    /// The label is checked apart and told once, so any will do here.
    private mutating func checkPart(_ name: String, _ value: JSONValue, at path: [String]) {
        _ = problems.check(at: path) { () throws(TwinspanError) in
            try PolicyEntry.parse(label: path[1].isEmpty ? "entry" : path[1], .object(JSONObject([(name, value)])))
        }
    }

    private mutating func checkSubjects(_ json: JSONValue, at path: [String]) {
        for (id, subject) in members(json, at: path) ?? [] {
            let path = path + [id]
            guard !id.contains("{{"), !id.contains("${") else {
                problems.add(
                    SeedProblem(
                        at: path, isAboutKey: true,
                        "the subject id '\(id)' has a placeholder, and a file has no caller to fill it in",
                        hint: "name the subject itself"))
                continue
            }
            guard PolicySubject.isLegalID(id) else {
                problems.add(
                    PolicyErrorTable.subjectIDInvalid.error("The subject id '\(id)' is not valid."), at: path,
                    isAboutKey: true)
                continue
            }
            guard let parts = members(subject, at: path) else { continue }
            checkKeys(parts, ["type", "expiry", "announcement"], at: path)
            guard subject.object?["type"] != nil else {
                problems.add(
                    SeedProblem(
                        at: path, "the subject '\(id)' has no 'type'", hint: "say in a few words who it is: type: …"))
                continue
            }
            for (name, part) in parts {
                var alone: JSONObject = ["type": ""]
                alone[name] = part
                _ = problems.check(at: path + [name]) { () throws(TwinspanError) in
                    try PolicySubject.parse(id: id, .object(alone))
                }
            }
        }
    }

    private mutating func checkResources(_ json: JSONValue, at path: [String]) {
        for (key, resource) in members(json, at: path) ?? [] {
            let path = path + [key]
            let read = problems.check(at: path, isAboutKey: true) { () throws(TwinspanError) in
                try PolicyResource.parse(key: key, [:])
            }
            if let read, read.type == nil {
                let known = PolicyResourceType.allCases.map(\.name)
                problems.add(
                    SeedProblem(
                        isError: false, at: path, isAboutKey: true, "nothing is decided by resources like '\(key)'",
                        hint: "use \(known.map { "\($0):/…" }.joined(separator: ", "))"))
            }
            guard let parts = members(resource, at: path) else { continue }
            checkKeys(parts, ["grant", "revoke"], at: path)
            guard read != nil else { continue }
            for (name, value) in parts where name == "grant" || name == "revoke" {
                let elements = value.array?.enumerated().map { (["\($0.offset)"], JSONValue.array([$0.element])) }
                for (step, part) in elements ?? [([], value)] {
                    _ = problems.check(at: path + [name] + step) { () throws(TwinspanError) in
                        try PolicyResource.parse(key: key, .object(JSONObject([(name, part)])))
                    }
                }
            }
        }
    }
}
