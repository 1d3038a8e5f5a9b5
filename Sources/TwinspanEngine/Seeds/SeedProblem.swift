// What is wrong with a policy or thing of the operator's files, and where in the document: all problems at once,
// because a person repairs a file in one go.
public import TwinspanProtocol

/// A problem of a seed.
public struct SeedProblem: Sendable, Equatable {
    /// Whether the seed cannot be used because of it; otherwise it only does something else than was probably meant.
    public let isError: Bool
    /// The keys that lead to the value; elements of lists by their index, counted from 0. Empty for the document.
    public let path: [String]
    /// Whether the last key of the path is meant, and not its value.
    public let isAboutKey: Bool
    /// What is wrong, without a full stop.
    public let message: String
    /// What to do; nil when the message says it.
    public let hint: String?
    /// Where a key is not known: those that are.
    public let candidates: [String]

    /// Makes a problem.
    public init(
        isError: Bool = true, at path: [String], isAboutKey: Bool = false, _ message: String, hint: String? = nil,
        candidates: [String] = []
    ) {
        self.isError = isError
        self.path = path
        self.isAboutKey = isAboutKey
        self.message = message
        self.hint = hint
        self.candidates = candidates
    }

    /// The error that a command with the same value would be answered with; its code is quoted.
    public init(_ error: TwinspanError, at path: [String], isAboutKey: Bool = false) {
        var message = error.message
        if message.hasSuffix(".") { message.removeLast() }
        if let first = message.first { message = first.lowercased() + message.dropFirst() }
        var hint = error.description
        if hint?.hasSuffix(".") == true { hint?.removeLast() }
        self.init(at: path, isAboutKey: isAboutKey, "\(message) (\(error.code))", hint: hint)
    }
}

/// Collects the problems of one document.
struct SeedProblems {
    private(set) var all: [SeedProblem] = []

    var hasErrors: Bool { all.contains(where: \.isError) }

    mutating func add(_ problem: SeedProblem) { all.append(problem) }

    mutating func add(_ error: TwinspanError, at path: [String], isAboutKey: Bool = false) {
        all.append(SeedProblem(error, at: path, isAboutKey: isAboutKey))
    }

    /// Runs a check; what it throws is a problem at the path. Returns what it returns.
    mutating func check<Value>(
        at path: [String], isAboutKey: Bool = false, _ body: () throws(TwinspanError) -> Value
    ) -> Value? {
        do throws(TwinspanError) {
            return try body()
        } catch {
            add(error, at: path, isAboutKey: isAboutKey)
            return nil
        }
    }
}
