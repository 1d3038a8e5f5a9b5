// One script in a virtual machine of its own: evaluated once, called for each message. Nothing but our prelude stands
// beside it, and nothing leads out of it.
import Glibc

/// A script and where it comes from.
struct ScriptSource: Sendable {
    var text: String
    /// How errors name it: the file.
    var file: String
    /// The line of the file at which the text begins, counted from 1.
    var line: Int

    /// The first word that could leave a job behind, which would run when the call is over, and its line. Nothing can
    /// wait for such a job, and the engine aborts the process when a limit of time meets one. Without these words, and
    /// without what the prelude takes away, a script has no way to make one: the words cannot be written with escapes.
    var wordOfJobs: (word: String, line: Int)? {
        let bytes = Array(text.utf8)
        for word in ["async", "import"] {
            let letters = Array(word.utf8)
            var start = 0
            while let found = bytes[start...].firstRange(of: letters) {
                start = found.upperBound
                let isWhole =
                    !(found.lowerBound > 0 && Self.isOfWord(bytes[found.lowerBound - 1]))
                    && !(start < bytes.count && Self.isOfWord(bytes[start]))
                // A property may have the name, but what is spread with three dots is none.
                let dots = bytes[..<found.lowerBound].reversed().prefix { $0 == UInt8(ascii: ".") }.count
                guard isWhole, dots != 1 else { continue }
                return (word, line + bytes[..<found.lowerBound].count { $0 == UInt8(ascii: "\n") })
            }
        }
        return nil
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"):
            true
        default: byte >= 0x80
        }
    }
}

/// A running script. Used by one thread at a time, which `ScriptRunner` sees to.
final class ScriptContext {
    typealias Value = JavaScriptEngineLibrary.Value

    let library: JavaScriptEngineLibrary
    private let group: JavaScriptEngineLibrary.Group
    let context: JavaScriptEngineLibrary.Context
    private let watch: ScriptWatch
    private let source: ScriptSource
    private let limits: ScriptLimits
    /// Takes the arguments of one direction; protected.
    private var function: Value?
    /// Gives an exception in words; protected.
    private var describe: Value?
    private var units: [UInt16] = []
    /// The thread that ran the script last.
    private var thread: pthread_t?

    /// UTF-16 units of the buffer that are kept for the next message.
    private static let unitsKept = 1 << 18

    /// Starts a virtual machine and evaluates the script.
    /// - Parameter entry: the function of the prelude that is to be called.
    init(
        _ source: ScriptSource, entry: String, library: JavaScriptEngineLibrary, limits: ScriptLimits
    ) throws(ScriptFailure) {
        guard let group = library.makeGroup(), let context = library.makeContext(group, nil) else {
            throw ScriptFailure(kind: .memory, text: "the JavaScript engine cannot start", endsContext: true)
        }
        (self.library, self.group, self.context) = (library, group, context)
        (self.source, self.limits) = (source, limits)
        watch = ScriptWatch(library: library, group: group, limits: limits)
        guard let entries = try evaluate(ScriptPrelude.source) else { return }
        function = protected(entry, of: entries)
        describe = protected(ScriptPrelude.describe, of: entries)
        try evaluate(source)
    }

    /// A function of the prelude, kept until the end.
    private func protected(_ name: String, of entries: Value) -> Value? {
        guard let value = with(text: name, { library.property(context, entries, $0, nil) }) else { return nil }
        library.protect(context, value)
        return value
    }

    deinit {
        for value in [function, describe] {
            if let value { library.unprotect(context, value) }
        }
        library.releaseContext(context)
        library.releaseGroup(group)
    }

    /// Checks the syntax of a script without running it, in a virtual machine that lives no longer.
    static func checkSyntax(_ source: ScriptSource, library: JavaScriptEngineLibrary) throws(ScriptFailure) {
        let checker = try ScriptContext(
            ScriptSource(text: "", file: "", line: 1), entry: ScriptPrelude.incoming, library: library,
            limits: .standard)
        try checker.run(source) { context, text, file, exception in
            library.checkSyntax(context, text, file, Int32(clamping: source.line), exception) ? context : nil
        }
    }

    // MARK: Running

    @discardableResult
    private func evaluate(_ source: ScriptSource) throws(ScriptFailure) -> Value? {
        admitSignals()
        _ = watch.begin()
        return try run(source) { [library] context, text, file, exception in
            library.evaluate(context, text, nil, file, Int32(clamping: source.line), exception)
        }
    }

    @discardableResult
    private func run(
        _ source: ScriptSource,
        _ body: (
            JavaScriptEngineLibrary.Context, JavaScriptEngineLibrary.Text, JavaScriptEngineLibrary.Text?,
            JavaScriptEngineLibrary.Exception
        ) -> Value?
    ) throws(ScriptFailure) -> Value? {
        var exception: Value?
        let value = with(text: source.text) { text in
            with(text: source.file) { file in body(context, text, file, &exception) }
        }
        if let failure = failure(exception, in: source) { throw failure }
        return value
    }

    /// Calls the script with arguments and gives what it returned to `body`, nil for undefined.
    /// - Parameter arguments: places to be filled; on the stack, where the engine looks for values in use.
    func call<Result>(
        arguments count: Int, _ fill: (UnsafeMutableBufferPointer<Value?>) -> Void,
        _ body: (Value?) throws(ScriptFailure) -> Result
    ) throws(ScriptFailure) -> Result {
        guard let function else { throw ScriptFailure(kind: .thrown, text: "the prelude is incomplete") }
        admitSignals()
        let isGrown = watch.begin()
        var exception: Value?
        let value = withUnsafeTemporaryAllocation(of: Value?.self, capacity: count) { arguments -> Value? in
            arguments.initialize(repeating: nil)
            fill(arguments)
            return library.call(context, function, nil, count, arguments.baseAddress, &exception)
        }
        if let failure = failure(exception, in: source) { throw failure }
        let result = try body(value.flatMap { library.typeOf(context, $0) == 0 ? nil : $0 })
        if isGrown { try countMemory() }
        return result
    }

    /// The engine stops threads with SIGUSR1, to look at a running script and at what its stack refers to, and waits
    /// for them for ever. The threads of the concurrency runtime, and all that are started from them, block it.
    private func admitSignals() {
        let current = pthread_self()
        guard thread != current else { return }
        thread = current
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// Counts what the script keeps, after a collection; that takes milliseconds.
    private func countMemory() throws(ScriptFailure) {
        guard watch.isTooMuch(heapSize) else { return }
        library.collectGarbage(context)
        guard watch.isTooMuch(heapSize) else { return }
        throw ScriptFailure(
            kind: .memory, text: "the script keeps more than \(limits.memoryBytes >> 20) MB in its globals",
            endsContext: true)
    }

    private var heapSize: Double {
        guard let statistics = library.memoryStatistics(context),
            let size = with(text: "heapSize", { library.property(context, statistics, $0, nil) })
        else { return 0 }
        return library.toNumber(context, size, nil)
    }

    // MARK: Values

    /// The value of what is not there.
    var undefined: Value? { library.undefined(context) }

    /// A string of UTF-8; undefined if the bytes are no UTF-8.
    func string(_ bytes: UnsafeRawBufferPointer) -> Value? {
        defer { if units.count > Self.unitsKept { units = [] } }
        guard let count = UTF16Text.widen(bytes, into: &units) else { return library.undefined(context) }
        guard let text = units.withUnsafeBufferPointer({ library.makeText($0.baseAddress, count) }) else { return nil }
        defer { library.releaseText(text) }
        return library.makeString(context, text)
    }

    /// An ArrayBuffer with a copy of the bytes, which the script may keep.
    func arrayBuffer(_ bytes: UnsafeRawBufferPointer) -> Value? {
        // One byte more, so that an empty buffer has an address too.
        guard let copy = malloc(bytes.count + 1) else { return nil }
        if let source = bytes.baseAddress { memcpy(copy, source, bytes.count) }
        return library.makeArrayBuffer(context, copy, bytes.count, { bytes, _ in free(bytes) }, nil, nil)
    }

    /// Gives the UTF-16 of a string to `body`.
    func withUnits<Result>(
        of value: Value, _ body: (UnsafeBufferPointer<UInt16>) throws(ScriptFailure) -> Result
    ) throws(ScriptFailure) -> Result {
        guard let text = library.toText(context, value, nil) else {
            throw ScriptFailure(kind: .memory, text: "the result does not fit the memory", endsContext: true)
        }
        defer { library.releaseText(text) }
        return try body(UnsafeBufferPointer(start: library.textUnits(text), count: library.textLength(text)))
    }

    func isString(_ value: Value) -> Bool { library.typeOf(context, value) == 4 }

    func element(_ index: Int, of array: Value) -> Value? {
        library.element(context, array, UInt32(clamping: index), nil)
    }

    /// The bytes of a Uint8Array that begins where its buffer does.
    func bytes(of array: Value) -> [UInt8] {
        let count = library.typedArrayLength(context, array, nil)
        guard count > 0, let start = library.typedArrayBytes(context, array, nil) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    private func with<Result>(text: String, _ body: (JavaScriptEngineLibrary.Text) -> Result?) -> Result? {
        let units = Array(text.utf16)
        guard let text = units.withUnsafeBufferPointer({ library.makeText($0.baseAddress, $0.count) }) else {
            return nil
        }
        defer { library.releaseText(text) }
        return body(text)
    }

    // MARK: Failures

    /// What has gone wrong; nil if nothing has.
    private func failure(_ exception: Value?, in source: ScriptSource) -> ScriptFailure? {
        if let verdict = watch.verdict { return failure(verdict) }
        guard let exception else { return nil }
        // The engine does not end what runs in conversions that C asks for, so a function of the prelude makes them.
        var another: Value?
        let parts = withUnsafeTemporaryAllocation(of: Value?.self, capacity: 1) { arguments -> Value? in
            arguments.initialize(repeating: exception)
            return describe.flatMap { library.call(context, $0, nil, 1, arguments.baseAddress, &another) }
        }
        if let verdict = watch.verdict { return failure(verdict) }
        func part(_ index: Int) -> String {
            parts.flatMap { element(index, of: $0) }.flatMap(plainText) ?? ""
        }
        let text = part(0)
        return ScriptFailure(
            kind: .thrown, text: text.isEmpty ? "something that has no text was thrown" : ScriptFailure.tidied(text),
            place: place(stack: part(1), file: part(2), line: part(3), in: source))
    }

    private func failure(_ verdict: ScriptWatch.Verdict) -> ScriptFailure {
        switch verdict {
        case .time:
            ScriptFailure(
                kind: .time, text: "Maximum execution time of <\(limits.milliseconds)>ms was exceeded.")
        case .memory:
            // The memory of a context comes back only with all of it.
            ScriptFailure(
                kind: .memory, text: "the script has used more than \(limits.memoryBytes >> 20) MB of memory",
                endsContext: true)
        }
    }

    /// The line of the script in the exception's stack, or, where it has none, the line the exception names itself.
    private func place(stack: String, file: String, line: String, in source: ScriptSource) -> String? {
        for frame in stack.split(separator: "\n") {
            let place = frame.split(separator: "@", maxSplits: 1).last ?? ""
            guard place.hasPrefix(source.file + ":") else { continue }
            return source.file + ":" + place.dropFirst(source.file.count + 1).prefix { $0 != ":" }
        }
        return file == source.file && !line.isEmpty ? "\(file):\(line)" : nil
    }

    private func plainText(_ value: Value) -> String? {
        guard isString(value), let text = library.toText(context, value, nil) else { return nil }
        defer { library.releaseText(text) }
        // Of a text of any length, only the beginning is for people.
        let count = min(library.textLength(text), 1 << 16)
        let units = UnsafeBufferPointer(start: library.textUnits(text), count: count)
        return String(decoding: UTF16Text.narrow(units), as: UTF8.self)
    }
}
