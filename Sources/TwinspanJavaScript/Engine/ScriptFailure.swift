// Why a script did not give a result, in words for the person who wrote it.

/// A script that failed.
struct ScriptFailure: Error, Equatable {
    enum Kind {
        case thrown
        case time
        case memory
    }

    var kind: Kind
    /// What the engine or the script said.
    var text: String
    /// `file:line`, where it is known.
    var place: String?
    /// Whether the context cannot be used again.
    var endsContext = false

    /// The text with its place behind it.
    var description: String {
        place.map { "\(text) (\($0))" } ?? text
    }

    /// A text from a script or from a peer's message, cut and without control characters.
    static func tidied(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(400).map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
        var tidy = String.UnicodeScalarView()
        tidy.append(contentsOf: scalars)
        return String(tidy) + (text.unicodeScalars.count > 400 ? "…" : "")
    }
}
