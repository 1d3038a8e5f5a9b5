// What a problem of a definition is over HTTP: the same readers check files and bodies of requests, and a body is
// answered with the code that Ditto has for the first problem.
import TwinspanExpressions
import TwinspanProtocol

/// The code of a problem, and the text where clients expect one of their own.
struct WireError: Sendable {
    let row: ErrorRow
    /// Replaces the message of the diagnostic.
    var message: String?
    /// Lines behind the description: where in an expression the problem is.
    var excerpt: String?
    /// What is found earlier has the lower rank: what cannot be read, what does not fit, labels, labels of others,
    /// certificates and credentials (spec/connectivity.md §1.8).
    let rank: Int

    init(_ row: ErrorRow, message: String? = nil, rank: Int = 1) {
        self.row = row
        self.message = message
        self.rank = rank
    }

    static let configurationInvalid = WireError(ConnectivityErrorTable.configurationInvalid)
    static let fieldMissing = WireError(GeneralErrorTable.jsonFieldMissing, rank: 0)
    static let formatInvalid = WireError(GeneralErrorTable.jsonFormatInvalid, rank: 0)
    static let idInvalid = WireError(GeneralErrorTable.connectionIDInvalid, rank: 0)
    static let uriInvalid = WireError(ConnectivityErrorTable.uriInvalid, rank: 0)
    static let topicInvalid = WireError(ConnectivityErrorTable.topicInvalid, rank: 0)
    static let requestInvalid = WireError(AckErrorTable.requestParsingFailed, rank: 0)
    static let labelInvalid = WireError(AckErrorTable.labelInvalid, rank: 2)
    static let labelNotUnique = WireError(AckErrorTable.labelNotUnique, rank: 3)
    /// Certificates, tunnels and credentials are looked at last.
    static let credentialsInvalid = WireError(ConnectivityErrorTable.configurationInvalid, rank: 4)
    static let unavailable = WireError(ConnectivityErrorTable.unavailable, rank: 4)

    /// What clients look for when a header mapping of MQTT 3.1.1 is refused (spec/connectivity.md §13).
    static let unresolvedPlaceholders = "Some placeholders could not be resolved."

    /// The same code with a text of its own.
    func saying(_ message: String) -> WireError { WireError(row, message: message, rank: rank) }

    /// A filter that cannot be compiled, shown with its place.
    static func filterInvalid(_ error: RQLError) -> WireError {
        var wire = WireError(StreamErrorTable.expressionInvalid, message: error.message)
        wire.excerpt = "Line \(error.line), column \(error.column):\n\(error.excerpt)"
        return wire
    }

    /// An expression that cannot be compiled: placeholders are configuration, functions have codes of their own.
    static func expression(_ code: String) -> WireError {
        WireError(PlaceholderErrorTable.all.first { $0.code == code } ?? ConnectivityErrorTable.configurationInvalid)
    }

    /// Ditto names the addresses of what has nobody to act as.
    static func missingAuthorization(_ what: String, _ reader: ObjectReader) -> WireError {
        let addresses = reader.pair("addresses")?.value.sequence ?? reader.pair("address").map { [$0.value] } ?? []
        let names = addresses.compactMap(\.scalar?.text).joined(separator: ", ")
        return .configurationInvalid.saying("\(what) [\(names)] are missing an authorization context.")
    }

    func error(for diagnostic: Diagnostic) -> TwinspanError {
        let place = diagnostic.path.isEmpty ? nil : "At '\(diagnostic.path)'"
        let detail = message == nil ? nil : diagnostic.message
        let advice = [detail, diagnostic.question, diagnostic.hint].compactMap { $0 }.joined(separator: "; ")
        let sentence = [place, advice.isEmpty ? nil : advice].compactMap { $0 }.joined(separator: ": ")
        let description = [sentence.isEmpty ? nil : sentence + ".", excerpt].compactMap { $0 }.joined(separator: "\n")
        return row.error(
            message ?? Self.sentence(diagnostic.message), description: description.isEmpty ? nil : description)
    }

    private static func sentence(_ clause: String) -> String {
        let closed = clause.hasSuffix(".") || clause.hasSuffix("!") ? clause : clause + "."
        return closed.prefix(1).uppercased() + closed.dropFirst()
    }
}
