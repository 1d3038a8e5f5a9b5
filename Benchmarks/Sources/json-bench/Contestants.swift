import CcJSON
import Foundation
import TwinspanJSON

/// One JSON library. Both calls work on all documents and return something that depends on the work done.
protocol Contestant {
    var name: String { get }
    /// Parses each text into the library's tree.
    func parse() throws -> Int
    /// Writes each tree, parsed beforehand, as compact text; returns the bytes written.
    func write() throws -> Int
}

struct Unparsable: Error {
    let document: Int
}

/// Ours.
struct Twinspan: Contestant {
    let name = "twinspan"
    private let documents: Documents
    private let trees: [JSONValue]

    init(_ documents: Documents) throws {
        self.documents = documents
        trees = try documents.texts.map { try JSONValue.parse($0) }
    }

    func parse() throws -> Int {
        var members = 0
        for text in documents.texts {
            members += try JSONValue.parse(text).object?.count ?? 0
        }
        return members
    }

    func write() throws -> Int {
        var bytes = 0
        var output = [UInt8]()
        for tree in trees {
            output.removeAll(keepingCapacity: true)
            tree.write(into: &output)
            bytes += output.count
        }
        return bytes
    }
}

/// `JSONSerialization` of Foundation.
struct FoundationJSON: Contestant {
    let name = "foundation"
    private let texts: [Data]
    private let trees: [Any]

    init(_ documents: Documents) throws {
        texts = documents.texts.map { Data($0) }
        trees = try texts.map { try JSONSerialization.jsonObject(with: $0) }
    }

    func parse() throws -> Int {
        var members = 0
        for text in texts {
            members += (try JSONSerialization.jsonObject(with: text) as? [String: Any])?.count ?? 0
        }
        return members
    }

    func write() throws -> Int {
        var bytes = 0
        for tree in trees {
            bytes += try JSONSerialization.data(withJSONObject: tree, options: [.withoutEscapingSlashes]).count
        }
        return bytes
    }
}

/// cJSON, the C library. Its trees are freed within the measured time, as the Swift ones are.
final class CJSON: Contestant {
    let name = "cjson"
    private let documents: Documents
    private let trees: [UnsafeMutablePointer<cJSON>]

    init(_ documents: Documents) throws {
        self.documents = documents
        trees = try documents.texts.enumerated().map { try Self.tree(of: $0.element, document: $0.offset) }
    }

    deinit {
        for tree in trees { cJSON_Delete(tree) }
    }

    func parse() throws -> Int {
        var members = 0
        for (index, text) in documents.texts.enumerated() {
            let tree = try Self.tree(of: text, document: index)
            members += tree.pointee.child == nil ? 0 : 1
            cJSON_Delete(tree)
        }
        return members
    }

    func write() throws -> Int {
        var bytes = 0
        var output = [CChar](repeating: 0, count: 4096)
        for (index, tree) in trees.enumerated() {
            // A buffer that is reused, as in the Swift contestant.
            guard cJSON_PrintPreallocated(tree, &output, Int32(output.count), 0) != 0 else {
                throw Unparsable(document: index)
            }
            bytes += strlen(output)
        }
        return bytes
    }

    private static func tree(of text: [UInt8], document: Int) throws -> UnsafeMutablePointer<cJSON> {
        let tree = text.withUnsafeBytes { raw in
            cJSON_ParseWithLength(raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
        }
        guard let tree else { throw Unparsable(document: document) }
        return tree
    }
}
