// One authenticated request about connections, with what such requests read from it.
import HTTPTypes
import Hummingbird
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// A request whose route and devops user are known.
struct ManagementRequest {
    let request: Request
    let fields: RequestFields
    let parameters: [(name: String, value: String)]
    /// How long commands that wait for a broker may take unless the request says otherwise.
    static let patience = Duration.seconds(60)

    var method: HTTPRequest.Method { request.method }

    /// A query parameter.
    func parameter(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    /// What may stand in the query or in the head (spec/http.md §2.1). Throws 400 when the two differ.
    private func text(_ name: String) throws(TwinspanError) -> String? {
        let inHead = fields.all.first { $0.name.canonicalName == name }?.value
        guard let inQuery = parameter(name) else { return inHead }
        guard let inHead, inHead != inQuery else { return inQuery }
        throw GeneralErrorTable.duplicateHeader.error(
            "The query parameter '\(name)' and the header of that name differ.",
            description: "Send one of them, or both with the same value.")
    }

    func flag(_ name: String) throws(TwinspanError) -> Bool? {
        guard let text = try text(name) else { return nil }
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw .headerInvalid(name, "Use 'true' or 'false'.")
        }
    }

    func patience(_ usual: Duration = patience) throws(TwinspanError) -> Duration {
        guard let text = try text("timeout") else { return usual }
        let given = try CommandHeaders.duration(text)
        return given == .zero ? usual : given
    }

    /// Throws 404 for a question about the past, of which nothing is kept.
    func checkTime() throws(TwinspanError) {
        for name in ["at-historical-revision", "at-historical-timestamp"] where try text(name) != nil {
            throw ConnectivityErrorTable.historyNotFound.error()
        }
    }

    func selector() throws(TwinspanError) -> JSONFieldSelector? {
        try JSONFieldSelector.ofParameters(parameters)
    }

    private func preconditions() throws(TwinspanError) -> Preconditions {
        var headers = DittoHeaders()
        for header in [KnownHeader.ifMatch, .ifNoneMatch] {
            if let field = fields.all.first(where: { $0.name.canonicalName == header.rawValue }) {
                headers.append(header.rawValue, .string(field.value))
            }
        }
        return try Preconditions(headers)
    }

    /// The check of `if-match` and `if-none-match`.
    func check() throws(TwinspanError) -> RevisionCheck {
        let preconditions = try preconditions()
        let isRetrieve = method == .get
        return { (revision: Int64?) throws(TwinspanError) in
            try preconditions.check(
                tag: revision.map(ConnectionRequests.tag), isRetrieve: isRetrieve,
                failed: ConnectivityErrorTable.preconditionFailed,
                notModified: ConnectivityErrorTable.preconditionNotModified)
        }
    }

    /// The body as a JSON object. Throws 415, 413, and 400 for what is none.
    func document(checkingType: Bool = true) async throws -> JSONObject {
        if checkingType { _ = try RequestValue.mediaType(fields, method: .put) }
        let bytes = try await RequestValue.bytes(request, fields)
        do throws(JSONSyntaxError) {
            if let object = try JSONValue.parse(bytes).object { return object }
        } catch {
            throw TwinspanError.jsonInvalid(error)
        }
        throw TwinspanError.jsonInvalid("The body is no JSON object.")
    }
}

extension JSONFieldSelector {
    /// The selector of the query; several `fields` are one. Nil when there is none.
    static func ofParameters(
        _ parameters: [(name: String, value: String)]
    ) throws(TwinspanError) -> JSONFieldSelector? {
        let texts = parameters.filter { $0.name == "fields" }.map(\.value)
        guard !texts.isEmpty else { return nil }
        let text = texts.filter { !$0.isEmpty }.joined(separator: ",")
        // An empty selector selects nothing, which is not the same as none.
        guard !text.isEmpty else { return JSONFieldSelector([]) }
        do throws(JSONFieldSelectorError) {
            return try JSONFieldSelector(parsing: text)
        } catch {
            throw GeneralErrorTable.fieldSelectorInvalid.error("The field selector is not valid: \(error)")
        }
    }
}
