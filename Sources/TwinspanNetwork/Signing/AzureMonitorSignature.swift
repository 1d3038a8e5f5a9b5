// `az-monitor-2016-04-01` (spec/connectivity-bindings.md §8.2): the shared key of the data collector of Azure Monitor.
// Pure; the time is handed in.
public import TwinspanJSON
import TwinspanProtocol

/// Signs requests with the shared key of a workspace.
public struct AzureMonitorSignature: Sendable {
    /// The name under which the settings of this algorithm are known.
    public static let algorithm = "az-monitor-2016-04-01"

    private let workspace: String
    private let key: [UInt8]

    /// Reads `workspaceId` and `sharedKey` (Base64).
    public init(parameters: JSONObject) throws(SigningFailure) {
        let parameters = SigningParameters(parameters)
        workspace = try parameters.text("workspaceId")
        let encodedKey = try parameters.text("sharedKey")
        guard let key = Base64.decode(encodedKey) else { throw .keyNotBase64(parameter: "sharedKey") }
        self.key = key
    }

    /// `x-ms-date` and `authorization`.
    func headers(
        for request: SignableRequest, at now: Int64
    ) throws(SigningFailure) -> [(name: String, value: String)] {
        let date = UTCTime(now).rfc1123
        let text = [
            request.method, String(request.body.count), request.value(of: "content-type") ?? "", "x-ms-date:\(date)",
            request.path.isEmpty ? "/" : request.path,
        ].joined(separator: "\n")
        let signature = Base64.encode(try Digest.hmacSHA256(key: key, Array(text.utf8)))
        return [("x-ms-date", date), ("authorization", "SharedKey \(workspace):\(signature)")]
    }
}
