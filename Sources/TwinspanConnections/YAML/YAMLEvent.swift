// What libyaml reports, as Swift values: no C type gets past `YAMLEventReader`.

/// A step in the reading of a YAML text.
struct YAMLEvent {
    enum Kind {
        case documentStart
        case documentEnd
        case streamEnd
        case alias(String)
        case scalar(text: String, style: YAMLScalar.Style)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
    }

    let kind: Kind
    /// The name behind `&`, for values.
    var anchor: String?
    /// The resolved tag, for values that have one.
    var tag: String?
    let start: Mark
    let end: Mark
}

/// Something in a YAML text that is not as it must be.
struct YAMLProblem: Error {
    var mark: Mark
    /// How many characters are meant, at least 1.
    var length = 1
    var message: String
    var hint: String?
    var suggestion: String?
}
