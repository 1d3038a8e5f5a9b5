// Which messages a tap shows.
import TwinspanExpressions

/// A filter of notes; a member that is nil lets everything through.
public struct TapFilter: Sendable {
    /// How a stage ended.
    public enum Outcome: String, Sendable, CaseIterable { case success, failure }

    /// Id of a thing, also with the wildcards `*` and `?`. Notes without a thing do not match.
    public var thing: String? { didSet { pattern = Self.pattern(thing) } }
    public var outcome: Outcome?
    /// Exactly this id.
    public var correlationID: String?
    public var stage: RecordedStage?
    private var pattern: WildcardPattern?

    public init(
        thing: String? = nil, outcome: Outcome? = nil, correlationID: String? = nil, stage: RecordedStage? = nil
    ) {
        self.thing = thing
        self.outcome = outcome
        self.correlationID = correlationID
        self.stage = stage
        pattern = Self.pattern(thing)
    }

    /// Reads the values of query parameters or options; empty ones count as absent.
    public static func parse(
        thing: String?, outcome: String?, correlationID: String?, stage: String?
    ) throws(TapFilterFailure) -> TapFilter {
        TapFilter(
            thing: thing?.nonEmpty, outcome: try word(outcome, "outcome"), correlationID: correlationID?.nonEmpty,
            stage: try word(stage, "stage"))
    }

    func admits(_ note: StageNote) -> Bool {
        if let outcome, (outcome == .failure) != note.isFailure { return false }
        if let stage, stage != note.stage { return false }
        if let correlationID, correlationID != note.correlationID { return false }
        guard let pattern else { return true }
        guard note.entityType == "thing", let id = note.entityID else { return false }
        return pattern.matches(id)
    }

    private static func pattern(_ thing: String?) -> WildcardPattern? {
        thing.map { WildcardPattern($0, splitsAlternatives: false, isCaseSensitive: true) }
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ text: String?, _ name: String
    ) throws(TapFilterFailure) -> Word? where Word.RawValue == String {
        guard let text = text?.nonEmpty else { return nil }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue)
        let nearest = NearestName.find(text, among: words).map { "Did you mean '\($0)'? " } ?? ""
        throw TapFilterFailure(
            message: "There is no \(name) '\(text.cut(to: 40))'.",
            hint: "\(nearest)Known are \(words.joined(separator: ", ")).")
    }
}

/// Why a filter cannot be used.
public struct TapFilterFailure: Error, Sendable, Equatable {
    /// What is wrong.
    public var message: String
    /// What to do about it.
    public var hint: String
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
