// Pointers: reading, writing and reading again, and the paths of things and policies made of them.
import TwinspanJSON
import TwinspanProtocol

/// The input is a pointer, and on a second line a document it is used on.
func fuzzPointer(_ input: [UInt8]) {
    let parts = split(input)
    guard let written = text(parts.first) else { return }
    checkPolicyPath(written)
    do throws(JSONPointerError) {
        let pointer = try JSONPointer(parsing: written)
        checkPointer(pointer)
        checkResources(pointer)
        if let second = parts.second { check(pointer, on: second) }
    } catch {
        let slashes = written.utf8.count { $0 == UInt8(ascii: "/") }
        switch error {
        case .consecutiveSlashes:
            require(contains(written, twice: UInt8(ascii: "/")), "no consecutive slashes in \(written)")
        case .tooManySegments:
            require(slashes >= JSONPointer.segmentCountMaximum, "\(slashes) slashes are not too many")
        }
    }
}

private func checkPointer(_ pointer: JSONPointer) {
    require(pointer.segments.count <= JSONPointer.segmentCountMaximum, "too many segments")
    require(pointer.segments.allSatisfy { !$0.isEmpty && !$0.utf8.contains(UInt8(ascii: "/")) }, "\(pointer.segments)")
    let again = reading(pointer.description)
    require(again == pointer, "\(pointer) is read again as \(again?.description ?? "nothing")")
    require(again?.hashValue == pointer.hashValue, "equal pointers have different hashes")
    require(pointer.hasPrefix(.root) && pointer.hasPrefix(pointer), "prefixes of \(pointer)")
    guard let parent = pointer.parent, let last = pointer.last, let first = pointer.first else {
        require(pointer.isRoot, "\(pointer) has no parent")
        return
    }
    require(parent.appending(last) == pointer, "the parent of \(pointer) is \(parent)")
    require(JSONPointer(segments: [first]).appending(pointer.dropFirst()) == pointer, "the rest of \(pointer)")
    require(pointer.hasPrefix(parent) && !parent.hasPrefix(pointer), "prefixes of \(pointer)")
}

private func reading(_ text: String) -> JSONPointer? {
    // The caller reports nil as a finding.
    try? JSONPointer(parsing: text)
}

private func checkResources(_ pointer: JSONPointer) {
    do throws(TwinspanError) {
        let resource = try ThingResource(pointer)
        require(resource.path == pointer, "the resource of \(pointer) has the path \(resource.path)")
        require(resource.featureID == nil || pointer.first == "features", "a feature at \(pointer)")
    } catch {
        require((400..<500).contains(error.status), "\(error)")
    }
}

private func checkPolicyPath(_ written: String) {
    do throws(JSONPointerError) {
        let pointer = try JSONPointer(policyPath: written)
        // A subject id may hold slashes, as one segment; written again, it is read as that segment.
        var again: JSONPointer?
        do throws(JSONPointerError) { again = try JSONPointer(policyPath: pointer.description) } catch {}
        require(again == pointer, "the policy path \(pointer.segments) is read again as \(again?.segments ?? [])")
        // The caller has looked at the pointer; a path that addresses nothing is no finding.
        guard let path = try? PolicyPath(pointer) else { return }
        // `/import/{id}` is taken as `/imports/{id}`; everything else keeps its path.
        require(path.path == pointer || pointer.first == "import", "\(path.path) is not \(pointer)")
        // The next line reports nil as a finding.
        let canonical = try? PolicyPath(path.path)
        require(canonical == path, "\(path.path) is another resource than \(pointer)")
        require((path.key != nil) == (path.kind == .subject || path.kind == .resource), "the key of \(pointer)")
    } catch {
        require(!written.isEmpty, "\(error)")
    }
}

/// Setting, reading and removing at the pointer undo each other.
private func check(_ pointer: JSONPointer, on document: [UInt8]) {
    // Reading documents is the business of another target.
    guard let text = try? JSONText(validating: document) else { return }
    let tree = text.value
    require(text.value(at: pointer) == tree.value(at: pointer), "value at \(pointer) of \(text)")
    var changed = tree
    changed.set("x", at: pointer)
    require(changed.value(at: pointer) == "x", "set at \(pointer) of \(text): \(changed)")
    let spliced = text.replacing(at: pointer, with: JSONText("x"))
    require(spliced.text.bytes == changed.bytes, "replacing \(pointer) of \(text) gives \(spliced.text)")
    require(spliced.created == (tree.value(at: pointer) == nil), "created at \(pointer) of \(text)")
    let removed = spliced.text.removing(at: pointer)
    require((removed != nil) == changed.remove(at: pointer), "removing \(pointer) of \(spliced.text)")
    if let removed { require(removed.bytes == changed.bytes, "removing \(pointer) gives \(removed)") }
}
