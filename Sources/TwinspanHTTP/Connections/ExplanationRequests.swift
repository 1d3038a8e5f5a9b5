// Why somebody may, or may not, over HTTP: for the devops user, because an explanation shows what policies say.
import Hummingbird
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// Serves `/devops/policies/explain`.
struct ExplanationRequests: Sendable {
    let engine: TwinEngine
    let calls: ManagementCalls

    private static let parameters = ["thing", "policy", "namespace", "subject", "resource", "permission"]

    /// `thing=…|policy=…&subject=…[&subject=…]&resource=<type>:/<path>&permission=READ`; with `policy` also
    /// `namespace`, for the things in it.
    func explain(_ management: ManagementRequest, _ reply: Reply) async throws -> Response {
        let (question, policy) = try question(management)
        let explanation = try await calls.read { [engine] () throws(TwinspanError) in
            try engine.explain(question, policy: policy, nearest: NearestName.find)
        }
        return reply.success(status: 200, value: JSONText(explanation.json), etag: nil, revision: nil)
    }

    private func question(_ management: ManagementRequest) throws(TwinspanError) -> (AccessQuestion, PolicyID?) {
        for (name, _) in management.parameters where !Self.parameters.contains(name) {
            let guess = NearestName.find(name, among: Self.parameters).map { "Did you mean '\($0)'? " } ?? ""
            throw HTTPErrors.parametersInvalid(
                "There is no query parameter '\(name.prefix(40))' here.",
                "\(guess)Known are \(Self.parameters.joined(separator: ", ")).")
        }
        for name in Self.parameters where name != "subject" {
            guard management.parameters.count(where: { $0.name == name }) <= 1 else {
                throw HTTPErrors.parameterInvalid(name, "Name it once; only 'subject' may be repeated.")
            }
        }
        let (thing, policy) = (given("thing", management), given("policy", management))
        guard (thing == nil) != (policy == nil) else {
            throw HTTPErrors.parametersInvalid(
                "It is not said which policy is asked.", "Name either a thing with 'thing' or a policy with 'policy'.")
        }
        let namespace = given("namespace", management)
        guard thing == nil || namespace == nil else {
            throw HTTPErrors.parameterInvalid("namespace", "A thing has its own; name a namespace with 'policy' only.")
        }
        let thingID = try thing.map { text throws(TwinspanError) in try ThingID(text) }
        let policyID = try policy.map { text throws(TwinspanError) in try PolicyID(text) }
        do throws(AccessQuestionFault) {
            let question = try AccessQuestion.parse(
                subjects: management.parameters.filter { $0.name == "subject" }.map(\.value),
                resource: given("resource", management), permission: given("permission", management),
                thing: thingID, namespace: namespace, nearest: NearestName.find)
            return (question, policyID)
        } catch {
            throw HTTPErrors.parametersInvalid(error.message, error.hint)
        }
    }

    private func given(_ name: String, _ management: ManagementRequest) -> String? {
        management.parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }
}
