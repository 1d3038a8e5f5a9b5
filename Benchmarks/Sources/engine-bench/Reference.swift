import CcJSON

/// The least that any program has to do for a command: cJSON parses the bytes that come in, and writes the bytes that
/// go out from a tree that is there already. No twin, no policy, no revision.
final class Reference {
    private let messages: [[UInt8]]
    private let outputs: [[UnsafeMutablePointer<cJSON>]]
    private var buffer = [CChar](repeating: 0, count: 8192)

    init(_ workload: Workload, outputs: [[[UInt8]]]) throws {
        messages = workload.messages
        self.outputs = try outputs.map { try $0.map(Self.parse) }
    }

    deinit {
        for tree in outputs.joined() { cJSON_Delete(tree) }
    }

    /// Repeats until the time is up; the figure of one command.
    func measure(milliseconds: Int) throws -> Figure {
        var cost = Cost()
        var operations = 0
        let end = Cost.now + UInt64(milliseconds) * 1_000_000
        repeat {
            try cost.add {
                for index in messages.indices { try run(index) }
            }
            operations += messages.count
        } while Cost.now < end
        return cost.perOperation(operations)
    }

    private func run(_ index: Int) throws {
        let tree = try Self.parse(messages[index])
        cJSON_Delete(tree)
        for output in outputs[index % outputs.count] {
            guard cJSON_PrintPreallocated(output, &buffer, Int32(buffer.count), 0) != 0 else {
                throw BenchFailure(description: "cJSON cannot write message \(index)")
            }
        }
    }

    private static func parse(_ text: [UInt8]) throws -> UnsafeMutablePointer<cJSON> {
        let tree = text.withUnsafeBytes { raw in
            cJSON_ParseWithLength(raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
        }
        guard let tree else { throw BenchFailure(description: "cJSON cannot read \(text.count) bytes") }
        return tree
    }
}
