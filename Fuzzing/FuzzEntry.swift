// What libFuzzer calls: one binary holds all targets, and TWINSPAN_FUZZ_TARGET says which of them gets the inputs.
// Everything runs on libFuzzer's only thread. Built by scripts/fuzz, not by the package.
import Glibc

/// Every target: takes one input, and traps when something does not hold.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "json": fuzzJSON,
    "pointer": fuzzPointer,
    "selector": fuzzFieldSelector,
    "patch": fuzzMergePatch,
    "topic": fuzzTopic,
    "envelope": fuzzEnvelope,
    "rql": fuzzRQL,
    "placeholder": fuzzPlaceholder,
]

/// The chosen target and how far it is. libFuzzer calls from one thread only.
private struct Run {
    let body: ([UInt8]) -> Void
    let start = Run.seconds()
    var executions = 0
    var nextReport = 10

    init() {
        let name = getenv("TWINSPAN_FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let body = targets[name] else {
            report("TWINSPAN_FUZZ_TARGET must be one of \(targets.keys.sorted().joined(separator: " "))")
            exit(2)
        }
        self.body = body
    }

    static func seconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    /// Runs one input, and says every ten seconds how many there were: libFuzzer itself says so at powers of two.
    mutating func run(_ input: [UInt8]) {
        body(input)
        executions += 1
        let elapsed = Self.seconds() - start
        guard elapsed >= nextReport else { return }
        nextReport = elapsed + 10
        report("progress \(elapsed) \(executions)")
    }
}

nonisolated(unsafe) private var run = Run()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    run.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// Writes a line to the standard error, where libFuzzer writes too.
func report(_ line: String) {
    var line = line + "\n"
    // What cannot be written to the standard error can be told nobody.
    _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Ends the process, which libFuzzer takes as a finding, unless `holds`.
func require(_ holds: Bool, _ claim: @autoclosure () -> String, line: Int = #line, file: String = #fileID) {
    if holds { return }
    report("does not hold at \(file):\(line): \(claim())")
    abort()
}

/// An input of two parts: what stands before the first line break, and what stands behind it (`nil` without one).
func split(_ input: [UInt8]) -> (first: [UInt8], second: [UInt8]?) {
    guard let lineBreak = input.firstIndex(of: UInt8(ascii: "\n")) else { return (input, nil) }
    return (Array(input[..<lineBreak]), Array(input[(lineBreak + 1)...]))
}

/// The text of an input; `nil` if it is not UTF-8, which no text of ours ever is.
func text(_ input: [UInt8]) -> String? {
    String(validating: input, as: UTF8.self)
}

/// Whether `byte` stands twice in a row in `text`, the first time before `end`. Not `text.contains("//")`: that looks
/// at characters, and a slash with an accent is another one.
func contains(_ text: String, twice byte: UInt8, before end: Int = .max) -> Bool {
    zip(text.utf8, text.utf8.dropFirst()).prefix(end).contains { $0 == byte && $1 == byte }
}
