// The registry of adapters, and what their bindings know about configurations. A new adapter is two lines here.
import TwinspanConnections
import TwinspanMQTT

enum Adapters {
    static let all: [any BrokerAdapter] = [MQTTBrokerClient()]

    /// The rules the lint applies.
    static let bindingRules: [BindingRules] = [
        BindingRules(types: [.mqtt], settings: []) { connection in
            MQTTFields.diagnose(connection).map { problem in
                BindingProblem(
                    path: problem.path, message: problem.text, hint: problem.hint, isWarning: problem.isWarning)
            }
        }
    ]
}
