import CcJSON
import Foundation
import TwinspanJSON

/// Prints MB/s of parsing and writing a fleet's things with TwinspanJSON, Foundation and cJSON, as one JSON line.
///
/// Usage: `json-bench [ROUNDS [MILLISECONDS]]`. The libraries alternate within each round; the medians are printed.
@main
struct JSONBench {
    static func main() throws {
        let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5
        let milliseconds = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 300
        let documents = Documents(count: 200)
        let contestants: [any Contestant] = [
            try Twinspan(documents), try FoundationJSON(documents), try CJSON(documents),
        ]

        var parse = [String: [Double]]()
        var write = [String: [Double]]()
        for _ in 0..<max(rounds, 1) {
            for contestant in contestants {
                parse[contestant.name, default: []].append(
                    rate(of: documents.bytes, for: milliseconds) { try contestant.parse() })
                write[contestant.name, default: []].append(
                    rate(of: documents.bytes, for: milliseconds) { try contestant.write() })
            }
        }
        print(#"{"parse":\#(line(parse)),"write":\#(line(write))}"#)
    }

    /// Megabytes (10^6 bytes) per second of `work`, repeated until the time is up; 0 when it throws.
    private static func rate(of bytes: Int, for milliseconds: Int, _ work: () throws -> Int) -> Double {
        let clock = ContinuousClock()
        let limit = Duration.milliseconds(milliseconds)
        var repetitions = 0
        var check = 0
        let start = clock.now
        do {
            repeat {
                check &+= try work()
                repetitions += 1
            } while clock.now - start < limit
        } catch {
            FileHandle.standardError.write(Data("json-bench: \(error)\n".utf8))
            return 0
        }
        let elapsed = clock.now - start
        // Without a use of the result the optimiser could drop the work.
        precondition(check != 0, "the work produced nothing")
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        return Double(bytes) * Double(repetitions) / seconds / 1e6
    }

    private static func line(_ rates: [String: [Double]]) -> String {
        let members = rates.keys.sorted().map { name in
            let sorted = rates[name, default: [0]].sorted()
            return "\"\(name)\":\((sorted[sorted.count / 2] * 10).rounded() / 10)"
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}
