"""The ways through the twin: for each kind of broker what is started, how connections say it, and the baseline."""

import json
from contextlib import contextmanager

from .kafka import KafkaCluster
from .processes import Child, free_port, wait_for_port
from .rabbitmq import RabbitMQ

SOURCE = """\
id: telemetry-in
name: telemetry-in
connectionType: {kind}
connectionStatus: open
uri: {uri}
specificConfig: {specific}
sources:
  - addresses: ["{address}"]
    qos: 1
    authorizationContext: ["bench:gateway"]
    replyTarget:
      enabled: false
"""

TARGET = """\
id: events-out
name: events-out
connectionType: {kind}
connectionStatus: open
uri: {uri}
specificConfig: {specific}
targets:
  - address: "{address}"
    topics: ["_/_/things/twin/events"]
    qos: 1
    authorizationContext: ["bench:gateway"]
"""


def source(kind, uri, address, **specific):
    return SOURCE.format(kind=kind, uri=uri, address=address, specific=json.dumps(specific))


def target(kind, uri, address, **specific):
    return TARGET.format(kind=kind, uri=uri, address=address, specific=json.dumps(specific))


class Route:
    """What a scenario needs of a way. `enter` starts the broker, `start_baseline` the program to compare with.

    Ours and the baseline have addresses of their own at the same broker.
    """

    since_sent = True       # see Tools.measure
    max_messages = 100_000  # per round

    def __init__(self, bench):
        self.bench = bench
        self.tools = bench.tools

    def folder(self, name):
        folder = self.bench.work / f"{name}-{type(self).__name__.lower()}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def measure(self, bridge, load, is_baseline):
        raise NotImplementedError

    def conditions(self):
        """What to know about the broker beside the figures; None: Mosquitto's in-flight window."""
        return None


class FlowRoute(Route):
    """A way whose C program (flow.c) is relay, generator and collector."""

    program = ""
    window = 500

    def access(self):
        """Options that say where the broker is."""
        raise NotImplementedError

    def addresses(self, is_baseline):
        """(where the load goes, where the baseline reads, where it writes, where the far end reads)."""
        raise NotImplementedError

    def prepare_round(self):
        pass

    def generate(self, load, *options, is_baseline=False):
        to = self.addresses(is_baseline)[0]
        return self.tools.generate(
            self.program, load, "generate", *self.access(), "--to", to, "--window", self.window, *options)

    def start_baseline(self):
        _, read, write, _ = self.addresses(True)
        relay = self.tools.start(
            self.program, "relay", *self.access(), "--from", read, "--to", write, "--window", self.window)
        relay.read_line(40)
        return relay

    def measure(self, bridge, load, is_baseline):
        self.prepare_round()
        far_end = self.tools.collecting(
            self.program, load, "collect", *self.access(), "--from", self.addresses(is_baseline)[3])
        return self.tools.measure(
            bridge, far_end, lambda load: self.generate(load, is_baseline=is_baseline), load, self.since_sent)


class AMQP091(FlowRoute):
    """Queue → twin → fanout exchange with one queue; all durable, messages persistent, publishes confirmed."""

    name = "bridge amqp 0.9.1"
    kind = "amqp-091"
    program = "amqp091"
    baseline = "librabbitmq, prefetch and window 500"

    def enter(self, stack):
        self.broker = stack.enter_context(RabbitMQ(self.folder("rabbitmq")))
        self.prepare_round()

    def access(self):
        return "--port", self.broker.port

    def addresses(self, is_baseline):
        if is_baseline:
            return "/reference", "reference", "reference-out/", "reference-out"
        return "/telemetry", None, None, "events"

    def prepare_round(self):
        """Makes the queues and empties them."""
        declaring = self.tools.start("amqp091", "declare", *self.access(), *(
            part for name in ("telemetry", "reference", "events>events", "reference-out>reference-out")
            for part in ("--address", name)))
        declaring.finish()

    def conditions(self):
        return "durable queues, persistent messages"

    def connections(self):
        uri = f"amqp://guest:guest@127.0.0.1:{self.broker.port}/%2F"
        return {"telemetry-in": source(self.kind, uri, "telemetry"),
                "events-out": target(self.kind, uri, "events/{{ thing:id }}")}


class AMQP10(AMQP091):
    """Queue → twin → queue, at the same broker by its other protocol."""

    name = "bridge amqp 1.0"
    kind = "amqp-10"
    program = "amqp10"
    baseline = "qpid-proton, credit and window 500"

    def addresses(self, is_baseline):
        if is_baseline:
            queue = "/amq/queue/reference"
            return queue, queue, "/amq/queue/reference-out", "/amq/queue/reference-out"
        return "/amq/queue/telemetry", None, None, "/amq/queue/events"

    def connections(self):
        uri = f"amqp://guest:guest@127.0.0.1:{self.broker.port}"
        return {"telemetry-in": source(self.kind, uri, "/amq/queue/telemetry"),
                "events-out": target(self.kind, uri, "/amq/queue/events")}


class Kafka(FlowRoute):
    """Topic → twin → topic, the thing's id as the key. The cluster is librdkafka's mock: no disk, no replicas."""

    name = "bridge kafka"
    kind = "kafka"
    program = "kafka"
    window = 10_000
    max_messages = 200_000  # what the mock cluster keeps of a topic is about twice that
    baseline = "librdkafka, window 10,000"

    def enter(self, stack):
        self.cluster = stack.enter_context(KafkaCluster(
            self.folder("kafka"), self.tools.programs, self.bench.package.parent / "Tests/Support/kafka-mock.c",
            ["telemetry", "events", "reference", "reference-out"]))

    def access(self):
        return "--bootstrap", self.cluster.bootstrap

    def addresses(self, is_baseline):
        if is_baseline:
            return "reference", "reference", "reference-out", "reference-out"
        return "telemetry", None, None, "events"

    def connections(self):
        servers = self.cluster.bootstrap
        uri = f"tcp://{servers.split(',')[0]}"
        return {"telemetry-in": source(self.kind, uri, "telemetry", bootstrapServers=servers, groupId="bench",
                                       consumerOffsetReset="earliest"),
                "events-out": target(self.kind, uri, "events/{{ thing:id }}", bootstrapServers=servers)}

    def conditions(self):
        return "mock cluster: no disk, no replication"


class HTTPPush(Route):
    """MQTT topic → twin → POST to an endpoint in C; the baseline reads such a topic and posts its payloads."""

    name = "http-push"
    kind = "http-push"
    parallelism = 16
    baseline = "async-http-client behind the C programs' MQTT client, parallelism 16"

    def enter(self, stack):
        self.broker = stack.enter_context(self.bench.broker("push"))
        self.port = free_port()
        self.endpoint = self.tools.start("endpoint", "--port", self.port, "--idle", 5000, talks=True)
        stack.callback(self.endpoint.stop)
        wait_for_port(self.endpoint, self.port)

    def generate(self, load, *options, is_baseline=False):
        prefix = "reference" if is_baseline else "telemetry"
        return self.tools.generate_mqtt(self.broker.port, prefix, load, *options)

    def start_baseline(self):
        program = self.bench.swift_program("push-client")
        client = Child("push-client", [
            program, self.broker.port, "reference/#", f"http://127.0.0.1:{self.port}/events", self.parallelism,
        ], self.bench.work / "push-client.log")
        client.read_line(10)
        return client

    @contextmanager
    def _counting(self, load):
        # The endpoint lives on: a client whose server goes away between the rounds would be measured reconnecting.
        self.endpoint.ask(str(load.count))
        yield lambda: json.loads(self.endpoint.read_line(60 + load.count / 300))

    def measure(self, bridge, load, is_baseline):
        return self.tools.measure(
            bridge, self._counting(load), lambda load: self.generate(load, is_baseline=is_baseline), load,
            self.since_sent)

    def connections(self):
        return {"telemetry-in": source("mqtt", f"tcp://127.0.0.1:{self.broker.port}", "telemetry/#",
                                       clientId="bench-telemetry-in"),
                "events-out": target(self.kind, f"http://127.0.0.1:{self.port}", "POST:/events",
                                     parallelism=str(self.parallelism))}

    def conditions(self):
        return f"in flight {self.bench.inflight}, parallelism {self.parallelism}"


class MQTT5(Route):
    """As `bridge mqtt qos 1`, with MQTT 5 on both sides of the bridge; load and far end speak 3.1.1."""

    name = "bridge mqtt 5"
    kind = "mqtt-5"
    since_sent = False
    max_messages = 200_000
    baseline = "libmosquitto, receive maximum 200"

    def enter(self, stack):
        self.broker = stack.enter_context(self.bench.broker("mqtt5"))

    def generate(self, load, *options):
        return self.tools.generate_mqtt(self.broker.port, "telemetry", load, *options)

    def start_baseline(self):
        relay = self.tools.start("passthrough", "--port", self.broker.port, "--filter", "reference/#", "--version", 5)
        relay.read_line(10)
        return relay

    def measure(self, bridge, load, is_baseline):
        prefix, sink = ("reference", "out/reference/#") if is_baseline else ("telemetry", "events/#")
        return self.tools.measure_mqtt(self.broker.port, bridge, prefix, sink, load)

    def connections(self):
        uri = f"tcp://127.0.0.1:{self.broker.port}"
        return {"telemetry-in": source(self.kind, uri, "telemetry/#", clientId="bench-telemetry-in"),
                "events-out": target(self.kind, uri, "events/{{ thing:id }}", clientId="bench-events-out")}


ROUTES = [MQTT5, AMQP091, AMQP10, Kafka, HTTPPush]
