// The headers of a signal (spec/protocol.md §5): an ordered list, known headers found by their tag. A list, because a
// message carries a handful of them and a scan over tags is cheaper than any dictionary.
public import TwinspanJSON

/// The headers of a command, event, response or message.
public struct DittoHeaders: Sendable, Equatable {
    /// One header with the name as it was written.
    public struct Entry: Sendable, Equatable {
        public let known: KnownHeader?
        public let name: String
        public var value: JSONValue

        public init(known: KnownHeader?, name: String, value: JSONValue) {
            self.known = known
            self.name = name
            self.value = value
        }
    }

    public private(set) var entries: [Entry]
    /// Whether they stand for a member that was not there: as long as nothing is added, it is not written either.
    private(set) var isAbsent = false

    public init() {
        entries = []
    }

    /// Those of an envelope without headers.
    static let absent: DittoHeaders = {
        var headers = DittoHeaders()
        headers.isAbsent = true
        return headers
    }()

    public static func == (left: DittoHeaders, right: DittoHeaders) -> Bool { left.entries == right.entries }

    /// Takes the members of a headers object in its order; null values are dropped (§5).
    public init(_ object: JSONObject) {
        entries = []
        entries.reserveCapacity(object.count)
        for (name, value) in object where !value.isNull { append(name, value) }
    }

    /// Adds a header without looking for an older one of the same name.
    public mutating func append(_ name: String, _ value: JSONValue) {
        entries.append(Entry(known: KnownHeader.named(name), name: name, value: value))
    }

    /// A known header.
    public subscript(header: KnownHeader) -> JSONValue? {
        get {
            for entry in entries where entry.known == header { return entry.value }
            return nil
        }
        set {
            let index = entries.firstIndex { $0.known == header }
            switch (index, newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): entries.append(Entry(known: header, name: header.rawValue, value: value))
            case (nil, nil): break
            }
        }
    }

    /// A header by name, in any case of ASCII letters.
    public subscript(name: String) -> JSONValue? {
        if let known = KnownHeader.named(name) { return self[known] }
        let lower = name.lowercased()
        return entries.first { $0.known == nil && $0.name.lowercased() == lower }?.value
    }

    /// Sets a header by name, replacing one of the same name in any case.
    public mutating func set(_ name: String, _ value: JSONValue) {
        if let known = KnownHeader.named(name) {
            self[known] = value
            return
        }
        let lower = name.lowercased()
        if let index = entries.firstIndex(where: { $0.known == nil && $0.name.lowercased() == lower }) {
            entries[index].value = value
        } else {
            entries.append(Entry(known: nil, name: name, value: value))
        }
    }

    /// `correlation-id`; nil when absent or not text.
    public var correlationID: String? {
        get { self[.correlationID]?.string }
        set { self[.correlationID] = newValue.map { .string($0) } }
    }

    /// `response-required`; true when absent, and false when a `timeout` of zero is given (§8.4).
    public var isResponseRequired: Bool {
        if let value = self[.responseRequired] { return value.isTrue }
        guard let timeout = text(.timeout) else { return true }
        return HeaderDuration.milliseconds(timeout) != 0
    }

    /// The text of a header, whether it was sent as text or as another scalar.
    public func text(_ header: KnownHeader) -> String? {
        guard let value = self[header] else { return nil }
        return value.string ?? value.text
    }

    /// What may come in from outside: unknown names pass, internal and reply-only ones are removed (§5.1).
    public func acceptedFromOutside() -> DittoHeaders {
        filtered { $0.known?.isReadFromOutside ?? !KnownHeader.isBlocked($0.name) }
    }

    /// What may go out: all but internal and request-only headers (§5.1).
    public func deliveredToOutside() -> DittoHeaders {
        filtered { $0.known?.isWrittenToOutside ?? !KnownHeader.isBlocked($0.name) }
    }

    private func filtered(_ admits: (Entry) -> Bool) -> DittoHeaders {
        // Nearly always everything passes: then nothing is copied.
        guard let first = entries.firstIndex(where: { !admits($0) }) else { return self }
        var result = DittoHeaders()
        // Whoever filters nearly always adds a few of his own.
        result.entries.reserveCapacity(entries.count + 4)
        result.entries.append(contentsOf: entries[..<first])
        for entry in entries[(first + 1)...] where admits(entry) { result.entries.append(entry) }
        return result
    }

    /// Sum of the UTF-8 lengths of all names and values, the measure of the header limit (§13).
    public var byteCount: Int {
        entries.reduce(0) { sum, entry in
            sum + entry.name.utf8.count + (entry.value.string?.utf8.count ?? entry.value.bytes.count)
        }
    }

    /// About how many bytes the headers take as JSON.
    var roughSize: Int {
        entries.reduce(2) { sum, entry in sum + entry.name.utf8.count + (entry.value.string?.utf8.count ?? 16) + 6 }
    }

    /// Makes room for so many more headers, so that adding them copies nothing.
    public mutating func reserve(_ count: Int) { entries.reserveCapacity(entries.count + count) }

    /// Appends the headers as a JSON object.
    public func write(into output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        var isFirst = true
        for entry in entries {
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONText.writeString(entry.name, into: &output)
            output.append(UInt8(ascii: ":"))
            entry.value.write(into: &output)
        }
        output.append(UInt8(ascii: "}"))
    }
}

extension JSONValue {
    /// `true`, or text that says so.
    var isTrue: Bool {
        switch self {
        case .bool(let value): value
        case .string(let text): text.lowercased() == "true"
        default: false
        }
    }
}
