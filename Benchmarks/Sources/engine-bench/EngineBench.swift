import Glibc
import TwinspanJSON

/// Prints what the five commonest commands and an event for many subscribers cost inside the engine, in nanoseconds and
/// allocations, as one JSON line. There is neither a broker nor a disk: the store is in memory.
///
/// Usage: `engine-bench [rql|decisions] [ROUNDS [MILLISECONDS]]`. With `rql` it measures filters instead, with
/// `decisions` policies, without an engine. Ours and the baseline alternate within each round; the medians are printed.
@main
struct EngineBench {
    /// What is measured in place of the engine.
    private enum Mode: String {
        case rql, decisions
    }

    static func main() {
        var arguments = CommandLine.arguments.dropFirst()
        let mode = arguments.first.flatMap { Mode(rawValue: $0) }
        if mode != nil { arguments = arguments.dropFirst() }
        let rounds = max(arguments.first.flatMap { Int($0) } ?? 5, 1)
        let milliseconds = arguments.dropFirst().first.flatMap { Int($0) } ?? 300
        do {
            switch mode {
            case .rql: return print(try filters(rounds, milliseconds))
            case .decisions: return print(try decisions(rounds, milliseconds))
            case nil: break
            }
            let twin = try Twin()
            let commands = try Workload.allCases.map { workload in
                #""\#(workload.rawValue)":\#(try self.commands(workload, twin, rounds, milliseconds))"#
            }
            let events = try [1, 100].map { subscribers in
                #""\#(subscribers)":\#(try self.events(subscribers, twin, rounds, milliseconds))"#
            }
            print(
                #"{"commands":{\#(commands.joined(separator: ","))},"events":{\#(events.joined(separator: ","))}}"#)
            twin.engine.stop()
        } catch {
            let text = Array("engine-bench: \(error)\n".utf8)
            _ = write(STDERR_FILENO, text, text.count)
            exit(1)
        }
    }

    /// `{"decisions":{"5":{"decision":…,"decision baseline":…,"view":…,"view baseline":…},"50":…,"500":…}}`
    private static func decisions(_ rounds: Int, _ milliseconds: Int) throws -> String {
        let sizes = try [5, 50, 500].map { entries in
            let run = try PolicyRun(entries: entries)
            var figures: [(name: String, figures: [Figure])] = []
            for question in PolicyRun.Question.allCases {
                _ = try run.measure(question, milliseconds: 0)
                var ours: [Figure] = []
                var baseline: [Figure] = []
                for _ in 0..<rounds {
                    ours.append(try run.measure(question, milliseconds: milliseconds))
                    baseline.append(try run.baseline(question, milliseconds: milliseconds))
                }
                figures += [(question.rawValue, ours), ("\(question.rawValue) baseline", baseline)]
            }
            return #""\#(entries)":\#(object(figures))"#
        }
        return #"{"decisions":{\#(sizes.joined(separator: ","))}}"#
    }

    /// `{"decode":…,"apply":…,"commit":…,"encode":…,"sum":…,"baseline":…}`
    private static func commands(
        _ workload: Workload, _ twin: Twin, _ rounds: Int, _ milliseconds: Int
    ) throws -> String {
        let run = CommandRun(workload, twin)
        let reference = try Reference(workload, outputs: try run.outputs())
        // Warm: one pass over all things, then the rounds.
        _ = try run.measure(milliseconds: 0)
        _ = try reference.measure(milliseconds: 0)
        var ours: [CommandFigures] = []
        var baseline: [Figure] = []
        for _ in 0..<rounds {
            ours.append(try run.measure(milliseconds: milliseconds))
            baseline.append(try reference.measure(milliseconds: milliseconds))
        }
        return object([
            ("decode", ours.map(\.decode)), ("apply", ours.map(\.apply)), ("commit", ours.map(\.commit)),
            ("encode", ours.map(\.encode)), ("sum", ours.map(\.sum)), ("baseline", baseline),
        ])
    }

    /// `{"shared":…,"separate":…,"serialisations":1}`
    private static func events(
        _ subscribers: Int, _ twin: Twin, _ rounds: Int, _ milliseconds: Int
    ) throws -> String {
        let fanOut = FanOut(twin, subscribers: subscribers)
        let serialisations = try fanOut.serialisations()
        var shared: [Figure] = []
        var separate: [Figure] = []
        for _ in 0..<rounds {
            shared.append(try fanOut.measure(.change, milliseconds: milliseconds))
            separate.append(try fanOut.measure(.subscriber, milliseconds: milliseconds))
        }
        let figures = object([("shared", shared), ("separate", separate)])
        return figures.dropLast() + #","serialisations":\#(serialisations)}"#
    }

    /// `{"rql":{"exists(…)":{"model":…,"search":…,"parse":…,"baseline":…}}}`
    private static func filters(_ rounds: Int, _ milliseconds: Int) throws -> String {
        let rows = try Filters.texts.map { text in
            let filters = try Filters(text)
            var figures: [Filters.Work: [Figure]] = [:]
            for _ in 0..<rounds {
                for work in [Filters.Work.model, .search, .paths, .parse] {
                    figures[work, default: []].append(try filters.measure(work, milliseconds: milliseconds))
                }
            }
            let row = object([
                ("model", figures[.model] ?? []), ("search", figures[.search] ?? []),
                ("parse", figures[.parse] ?? []), ("baseline", figures[.paths] ?? []),
            ])
            return "\(JSONValue.string(text).text):\(row)"
        }
        return #"{"rql":{\#(rows.joined(separator: ","))}}"#
    }

    private static func object(_ members: [(name: String, figures: [Figure])]) -> String {
        let texts = members.map { #""\#($0.name)":\#(Figure.median($0.figures).json)"# }
        return "{" + texts.joined(separator: ",") + "}"
    }
}
