// Where a message goes (spec/connectivity-bindings.md §4.1): `topic/key`, `topic#partition` or `topic`, in this order.

/// A topic with a key or a partition.
struct KafkaAddress: Equatable {
    var topic: String
    /// Messages of one key keep their order.
    var key: String?
    var partition: Int32?

    /// Reads an address without placeholders. Throws what is wrong with it, a sentence.
    init(_ text: String) throws(KafkaAddressProblem) {
        let bytes = text.utf8
        if let slash = bytes.firstIndex(of: UInt8(ascii: "/")) {
            topic = String(text[..<slash])
            let key = String(text[text.utf8.index(after: slash)...])
            guard !key.isEmpty else { throw KafkaAddressProblem(text: "There is no key behind the '/' in '\(text)'.") }
            self.key = key
        } else if let hash = bytes.firstIndex(of: UInt8(ascii: "#")) {
            topic = String(text[..<hash])
            let number = text[text.utf8.index(after: hash)...]
            guard let partition = Int32(number), partition >= 0 else {
                throw KafkaAddressProblem(text: "Can not parse partition number from \(number)")
            }
            self.partition = partition
        } else {
            topic = text
        }
        if let problem = KafkaAddress.problem(inTopic: topic) { throw KafkaAddressProblem(text: problem) }
    }

    /// Why a name cannot be that of a topic; nil if it can.
    static func problem(inTopic name: String) -> String? {
        if name.isEmpty { return "The name of the topic is empty." }
        if name == "." || name == ".." { return "The topic name '\(name)' is not valid." }
        if name.utf8.count > 249 { return "The topic name '\(name.prefix(40))…' has more than 249 characters." }
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isLegal ? nil : "The topic name '\(name)' has characters other than a-z, A-Z, 0-9, '.', '_' and '-'."
    }
}

/// What is wrong with an address.
struct KafkaAddressProblem: Error, Equatable {
    var text: String
}
