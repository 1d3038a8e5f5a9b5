// The registry of adapters, and what their bindings know about configurations. A new adapter is two lines here.
import TwinspanConnections
import TwinspanHTTPPush
import TwinspanJSON
import TwinspanMQTT
import TwinspanProtocol

enum Adapters {
    static let all: [any BrokerAdapter] = [
        MQTTBrokerClient(),
        HTTPPushBrokerClient(now: { SystemClock().now.milliseconds / 1000 }),
    ]

    /// The rules the lint applies.
    static let bindingRules: [BindingRules] = [
        BindingRules(types: [.mqtt], settings: []) { connection in
            MQTTFields.diagnose(connection).map { problem in
                BindingProblem(
                    path: problem.path, message: problem.text, hint: problem.hint, isWarning: problem.isWarning)
            }
        },
        BindingRules(
            types: [.httpPush], settings: HTTPPushFields.Key.allCases.map(\.rawValue), problems: HTTPPushFields.diagnose
        ),
    ]

    /// How definitions that come over HTTP are read: as those in files are.
    static let reading = ConnectionReading(
        read: { document, id in
            do throws(TwinspanError) {
                return .success(
                    try ConnectionJSON.read(.object(document), id: id, rules: readingRules))
            } catch {
                return .failure(error)
            }
        },
        write: { $0.json(.shown) }, store: { $0.json(.stored) })
}
