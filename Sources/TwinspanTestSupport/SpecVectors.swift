// Finds the test vectors of the wire specification, which lie outside the repository and are read where they lie.
import Foundation
public import TwinspanJSON

/// One vector: a name that is unique in its file, and the document.
public struct SpecVector: Sendable, CustomStringConvertible {
    public let name: String
    public let envelope: JSONValue
    public var description: String { name }

    public init(name: String, envelope: JSONValue) {
        self.name = name
        self.envelope = envelope
    }
}

/// The folder of vectors.
public enum SpecVectors {
    /// `$TWINSPAN_SPEC/vectors`, or `../shared/spec/vectors` beside the package; nil when neither is there.
    public static let folder: String? = {
        let root = ProcessInfo.processInfo.environment["TWINSPAN_SPEC"] ?? besidePackage
        let folder = root + "/vectors"
        return FileManager.default.fileExists(atPath: folder) ? folder : nil
    }()

    private static var besidePackage: String {
        // Sources/TwinspanTestSupport/SpecVectors.swift: three up is the package.
        let package = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        return package.resolvingSymlinksInPath().deletingLastPathComponent().path + "/shared/spec"
    }

    /// The vectors of a file; none when the folder is absent.
    public static func load(_ file: String) -> [SpecVector] {
        guard let folder, let data = FileManager.default.contents(atPath: "\(folder)/\(file)"),
            // A file that is not what it should be gives no vectors, and the test that counts them fails.
            let entries = (try? JSONValue.parse([UInt8](data)))?.array
        else { return [] }
        return entries.compactMap { entry in
            guard let name = entry.object?["name"]?.string, let envelope = entry.object?["envelope"] else { return nil }
            return SpecVector(name: name, envelope: envelope)
        }
    }
}
