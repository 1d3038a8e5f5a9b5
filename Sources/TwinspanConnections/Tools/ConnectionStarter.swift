// A first connection for each kind of broker: what `twinspan init` prints. Small, commented, and free of findings.

/// Texts to begin with.
public enum ConnectionStarter {
    /// The text for a kind of broker.
    public static func text(for type: ConnectionType) -> String {
        switch type {
        case .mqtt, .mqtt5: mqtt(type)
        case .amqp091: amqp091
        case .amqp10: amqp10
        case .kafka: kafka
        case .hono: hono
        case .httpPush: httpPush
        }
    }

    private static func mqtt(_ type: ConnectionType) -> String {
        """
        # What devices publish goes into the twins. Try it, once 'twinspan serve' runs:
        #   mosquitto_pub -q 1 -t telemetry/org.example:pump-1 -m '{"topic": \
        "org.example/pump-1/things/twin/commands/modify",
        #     "path": "/attributes/rpm", "value": 1490}'
        # The thing has to exist, with a policy that grants WRITE to integration:telemetry.
        id: telemetry-in
        connectionType: \(type.rawValue)
        uri: tcp://${BROKER:127.0.0.1:1883}        # ssl:// for TLS; user:password@ before the host
        sources:
          - addresses: [telemetry/#]
            qos: 1                                # acknowledged when the change is on disk
            authorizationContext: ["integration:telemetry"]
            enforcement:                          # a device speaks for itself only
              input: "{{ source:address }}"
              filters: ["telemetry/{{ thing:id }}"]
        ---
        # What changes in the twins is published. A connection of its own: a connection never sends
        # to its own targets what came in through its own sources.
        id: events-out
        connectionType: \(type.rawValue)
        uri: tcp://${BROKER:127.0.0.1:1883}
        targets:
          - address: "events/{{ thing:id }}"
            topics: ["_/_/things/twin/events"]
            qos: 1
            authorizationContext: ["integration:events"]   # sees what this subject may READ

        """
    }

    private static let amqp091 = """
        # Messages of a queue go into the twins; what changes is sent to an exchange.
        id: telemetry-in
        connectionType: amqp-091
        uri: amqp://guest:${AMQP_PASSWORD:guest}@${BROKER:127.0.0.1:5672}/%2F   # the path names the virtual host
        sources:
          - addresses: [telemetry]                # queues
            authorizationContext: ["integration:telemetry"]
            enforcement:                          # a device speaks for itself only
              input: "{{ header:device_id }}"
              filters: ["{{ thing:id }}"]
            replyTarget: {enabled: false}
        ---
        # A connection of its own: a connection never sends to its own targets what came in through its own sources.
        id: events-out
        connectionType: amqp-091
        uri: amqp://guest:${AMQP_PASSWORD:guest}@${BROKER:127.0.0.1:5672}/%2F
        targets:
          - address: "events/{{ thing:id }}"      # exchange/routing key
            topics: ["_/_/things/twin/events"]
            authorizationContext: ["integration:events"]

        """

    private static let amqp10 = """
        # Messages of an address go into the twins; what changes is sent to another.
        id: telemetry-in
        connectionType: amqp-10
        uri: amqp://${BROKER:127.0.0.1:5672}       # amqps:// for TLS; user:password@ before the host
        sources:
          - addresses: [telemetry]
            authorizationContext: ["integration:telemetry"]
            enforcement:                          # a device speaks for itself only
              input: "{{ header:device_id }}"
              filters: ["{{ thing:id }}"]
            replyTarget: {enabled: false}
        ---
        # A connection of its own: a connection never sends to its own targets what came in through its own sources.
        id: events-out
        connectionType: amqp-10
        uri: amqp://${BROKER:127.0.0.1:5672}
        targets:
          - address: events
            topics: ["_/_/things/twin/events"]
            authorizationContext: ["integration:events"]

        """

    private static let kafka = """
        # Records of a topic go into the twins; what changes is written to another.
        id: telemetry-in
        connectionType: kafka
        uri: tcp://${BROKER:127.0.0.1:9092}        # ssl:// for TLS; user:password@ before the host
        specificConfig: {bootstrapServers: "${BROKER:127.0.0.1:9092}"}
        sources:
          - addresses: [telemetry]
            qos: 1
            authorizationContext: ["integration:telemetry"]
            enforcement:                          # a device speaks for itself only
              input: "{{ header:device_id }}"
              filters: ["{{ thing:id }}"]
            replyTarget: {enabled: false}
        ---
        # A connection of its own: a connection never sends to its own targets what came in through its own sources.
        id: events-out
        connectionType: kafka
        uri: tcp://${BROKER:127.0.0.1:9092}
        specificConfig: {bootstrapServers: "${BROKER:127.0.0.1:9092}"}
        targets:
          - address: "events/{{ thing:id }}"      # topic/key: events of a thing keep their order
            topics: ["_/_/things/twin/events"]
            authorizationContext: ["integration:events"]

        """

    private static let hono = """
        # Telemetry of a tenant of Eclipse Hono goes into the twins; commands go to its devices.
        id: hono
        connectionType: hono
        sources:
          - addresses: [telemetry]                # telemetry, event or command_response
            qos: 0
            authorizationContext: ["integration:hono"]
            enforcement:                          # a device speaks for itself only
              input: "{{ header:device_id }}"
              filters: ["{{ entity:id }}"]
            replyTarget: {enabled: false}
        targets:
          - address: command
            topics: ["_/_/things/live/messages", "_/_/things/live/commands"]
            authorizationContext: ["integration:hono"]

        """

    private static let httpPush = """
        # What changes in the twins is sent to a web service.
        id: events-push
        connectionType: http-push
        uri: https://user:${PUSH_PASSWORD:secret}@${PUSH_HOST:127.0.0.1:443}
        targets:
          - address: "POST:/events/{{ thing:id }}"         # method:path
            topics: ["_/_/things/twin/events"]
            authorizationContext: ["integration:events"]   # sees what this subject may READ

        """
}
