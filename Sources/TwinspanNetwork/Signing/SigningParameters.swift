// The parameters of an HMAC algorithm as they stand in `credentials` (spec/connectivity-bindings.md §8.2).
import TwinspanJSON

/// Reads parameters by name.
struct SigningParameters {
    private let values: JSONObject

    init(_ values: JSONObject) { self.values = values }

    /// A text that must be there and not be empty.
    func text(_ name: String) throws(SigningFailure) -> String {
        guard let value = values[name], !value.isNull else { throw .missing(parameter: name) }
        guard let text = value.string, !text.isEmpty else {
            throw .invalid(parameter: name, expected: "text that is not empty")
        }
        return text
    }

    /// A text that may be absent.
    func optionalText(_ name: String) throws(SigningFailure) -> String? {
        guard let value = values[name], !value.isNull else { return nil }
        guard let text = value.string else { throw .invalid(parameter: name, expected: "text") }
        return text
    }

    /// A truth value that may be absent.
    func flag(_ name: String, default assumed: Bool) throws(SigningFailure) -> Bool {
        guard let value = values[name], !value.isNull else { return assumed }
        guard let flag = value.bool else { throw .invalid(parameter: name, expected: "true or false") }
        return flag
    }

    /// A list of texts that may be absent.
    func texts(_ name: String, default assumed: [String]) throws(SigningFailure) -> [String] {
        guard let value = values[name], !value.isNull else { return assumed }
        guard let list = value.array else { throw .invalid(parameter: name, expected: "a list of texts") }
        let texts = list.compactMap(\.string)
        guard texts.count == list.count else { throw .invalid(parameter: name, expected: "a list of texts") }
        return texts
    }
}
