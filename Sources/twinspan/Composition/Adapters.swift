// The registry of adapters, and what their bindings know about configurations. A new adapter is two lines here.
import TwinspanAMQP091
import TwinspanAMQP10
import TwinspanConnections
import TwinspanHTTPPush
import TwinspanJSON
import TwinspanKafka
import TwinspanMQTT
import TwinspanNetwork
import TwinspanProtocol

enum Adapters {
    static let all: [any BrokerAdapter] = [
        MQTTBrokerClient(), AMQP091BrokerClient(), AMQP10BrokerClient(), KafkaBrokerClient(),
        HTTPPushBrokerClient(now: { SystemClock().now.milliseconds / 1000 }),
    ]

    /// The rules the lint applies.
    static let bindingRules: [BindingRules] = [
        BindingRules(types: [.mqtt, .mqtt5], settings: []) { connection in
            MQTTFields.diagnose(connection).map { problem in
                BindingProblem(
                    path: problem.path, message: problem.text, hint: problem.hint, isWarning: problem.isWarning)
            }
        },
        BindingRules(
            types: [.httpPush], settings: HTTPPushFields.Key.allCases.map(\.rawValue), problems: HTTPPushFields.diagnose
        ),
        BindingRules(types: [.amqp10]) { AMQP10Fields.diagnose($0) },
        TLSRules.rules,
        BindingRules(types: [.kafka], settings: KafkaFields.Key.allCases.map(\.rawValue)) { connection in
            KafkaFields.diagnose(connection)
        },
        BindingRules(types: [.hono]) { KafkaFields.diagnoseHono($0) },
        BindingRules(types: [.amqp091], settings: AMQP091Fields.Key.allCases.map(\.rawValue)) { connection in
            AMQP091Fields.diagnose(connection)
        },
    ]

    /// How definitions that come over HTTP are read: as those in files are.
    static func reading(hosts: HostRules) -> ConnectionReading {
        var rules = readingRules
        rules.hosts = hosts
        return ConnectionReading(
            read: { [rules] document, id in
                do throws(TwinspanError) {
                    return .success(try ConnectionJSON.read(.object(document), id: id, rules: rules))
                } catch {
                    return .failure(error)
                }
            },
            write: { $0.json(.shown) }, store: { $0.json(.stored) })
    }
}
