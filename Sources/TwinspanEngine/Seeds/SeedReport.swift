// What came of the policies and things of the operator's files.
public import TwinspanProtocol

/// The outcome of applying seeds.
public struct SeedReport: Sendable, Equatable {
    /// What was done with the seeds of one kind.
    public struct Counts: Sendable, Equatable {
        /// There was none with the id.
        public var made = 0
        /// It replaced what was there.
        public var changed = 0
        /// It is there and stays as it is.
        public var leftAlone = 0
    }

    /// A seed that the state does not allow.
    public struct Refusal: Sendable, Equatable {
        /// The seed, by its index among those of its kind.
        public enum Seed: Sendable, Equatable {
            case policy(Int)
            case thing(Int)
        }

        public let seed: Seed
        public let problem: SeedProblem
    }

    public internal(set) var policies = Counts()
    public internal(set) var things = Counts()
    /// When there are any, nothing was written, unless the state changed while it was.
    public internal(set) var refusals: [Refusal] = []
    /// Why the store has not taken what was written, or could not be read; nil when all is durable.
    public internal(set) var failure: TwinspanError?

    /// Whether everything is as the seeds want it.
    public var isComplete: Bool { refusals.isEmpty && failure == nil }
}
