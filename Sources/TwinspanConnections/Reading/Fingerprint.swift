// A hash of a document's content, by which a reload sees whether a connection has changed. Comments, quotes and layout
// do not count; values of variables do. The hash is the same in every process, which Swift's own is not: FNV-1a.

enum Fingerprint {
    /// The hash of nothing.
    static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The fingerprint of a document. Its depth is bounded by the reader of YAML.
    static func of(_ node: YAMLNode) -> UInt64 {
        var hash = start
        add(node, to: &hash)
        return hash
    }

    /// A hash with bytes added to it.
    static func adding(_ bytes: [UInt8], to hash: UInt64) -> UInt64 {
        var hash = hash
        for byte in bytes { add(byte: byte, to: &hash) }
        return hash
    }

    private static func add(_ node: YAMLNode, to hash: inout UInt64) {
        switch node.content {
        case .scalar(let scalar):
            add(byte: 1, to: &hash)
            add(byte: kind(scalar.value), to: &hash)
            add(scalar.text, to: &hash)
        case .sequence(let elements):
            add(byte: 2, to: &hash)
            for element in elements { add(element, to: &hash) }
            add(byte: 3, to: &hash)
        case .mapping(let pairs):
            add(byte: 4, to: &hash)
            for pair in pairs {
                add(pair.key, to: &hash)
                add(pair.value, to: &hash)
            }
            add(byte: 5, to: &hash)
        }
    }

    private static func kind(_ value: YAMLScalarValue) -> UInt8 {
        switch value {
        case .null: 0
        case .bool: 1
        case .integer: 2
        case .float: 3
        case .string: 4
        }
    }

    private static func add(_ text: String, to hash: inout UInt64) {
        for byte in text.utf8 { add(byte: byte, to: &hash) }
        // 0xFF occurs in no UTF-8 text, so it ends one.
        add(byte: 0xFF, to: &hash)
    }

    private static func add(byte: UInt8, to hash: inout UInt64) {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
}
