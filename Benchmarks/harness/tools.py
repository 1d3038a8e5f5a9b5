"""Builds the C programs and the Swift programs of this folder, and runs one message flow through a bridge."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import BenchError, Child

# Rows are written at most 2 s behind the journal; what they cost belongs to the messages that caused them.
SETTLE_SECONDS = 3
IDLE_MILLISECONDS = 5000  # a far end gives up when nothing came for so long


def say(text):
    """Progress, on stderr: stdout is the table's."""
    print(text, file=sys.stderr, flush=True)


# Every C program with its sources beside the shared ones, and its libraries. `Tests` has the mock cluster.
C_PROGRAMS = {
    "passthrough": (["passthrough.c", "client.c"], ["mosquitto", "sqlite3"]),
    "generator": (["generator.c", "client.c"], ["mosquitto"]),
    "sink": (["sink.c", "client.c"], ["mosquitto"]),
    "endpoint": (["endpoint.c"], []),
    "amqp091": (["flow.c", "amqp091.c"], ["rabbitmq"]),
    "amqp10": (["flow.c", "amqp10.c"], ["qpid-proton"]),
    "kafka": (["flow.c", "kafka.c"], ["rdkafka"]),
}
C_SHARED = ["program.c", "workload.c"]
C_PACKAGES = "gcc libmosquitto-dev libsqlite3-dev librabbitmq-dev libqpid-proton11-dev librdkafka-dev"


class CPrograms:
    """The C programs, each compiled when it is first asked for: a scenario needs the libraries of its broker only."""

    def __init__(self, source, output):
        self.source = source
        self.output = output
        self.output.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        files, libraries = C_PROGRAMS[name]
        return self.compile(name, [self.source / file for file in files + C_SHARED], libraries)

    def compile(self, name, files, libraries):
        program = self.output / name
        if program.exists():
            return program
        compiler = shutil.which("cc")
        if not compiler:
            raise BenchError(f"no C compiler: apt-get install {C_PACKAGES}")
        command = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", program, *files,
                   *(f"-l{library}" for library in libraries)]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if result.returncode != 0:
            raise BenchError(f"{name} does not compile (apt-get install {C_PACKAGES}):\n{result.stderr}")
        return program


def build_swift_program(package, name):
    """Builds one executable of Benchmarks/Package.swift in release and returns its path."""
    say(f"building {name} (release) …")
    base = ["swift", "build", "-c", "release", "--package-path", str(package)]
    result = subprocess.run(base + ["--product", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise BenchError(f"{name} does not build:\n{result.stdout[-3000:]}")
    folder = subprocess.run(base + ["--show-bin-path"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(folder) / name


@dataclass
class Flow:
    """What one run through a bridge measured."""

    sent: int
    received: int           # distinct messages at the sink
    throughput: float       # messages/s at the sink, first to last
    p50: float              # microseconds
    p99: float
    p999: float
    cpu_per_message: float  # microseconds of the bridge process
    disk_per_message: float # bytes of the bridge process
    lost: int
    disordered: int         # events that came behind a later one of their device


@dataclass
class Load:
    """What the generator publishes. `rate` 0 is full speed."""

    count: int
    devices: int = 1000
    first: int = 0
    stride: int = 1
    rate: int = 0
    skip: int = 0


class Tools:
    def __init__(self, programs, logs):
        self.programs = programs
        self.logs = logs

    def start(self, name, *options, **details):
        self.logs.mkdir(parents=True, exist_ok=True)
        return Child(name, [self.programs.path(name), *options], self.logs / f"{name}.log", **details)

    def generate(self, name, load, *options):
        """Runs a generator to its end and returns its JSON line."""
        generator = self.start(
            name, *options, "--count", load.count, "--devices", load.devices, "--first", load.first,
            "--stride", load.stride, *(["--rate", load.rate] if load.rate else []))
        try:
            # Slower than 300/s is no benchmark any more.
            return json.loads(generator.read_line(60 + load.count / (load.rate or 300)))
        finally:
            generator.stop()

    def generate_mqtt(self, port, prefix, load, *options):
        return self.generate("generator", load, "--port", port, "--prefix", prefix, *options)

    @contextmanager
    def collecting(self, name, load, *options):
        """A far end that is ready; yields the function that waits for its JSON line."""
        sink = self.start(name, *options, "--count", load.count, "--skip", load.skip, "--idle", IDLE_MILLISECONDS)
        try:
            sink.read_line(30)
            yield lambda: json.loads(sink.read_line(60 + load.count / 300))
            sink.finish()
        finally:
            sink.stop()

    def measure(self, bridge, far_end, generate, load, since_sent=False):
        """One flow through `bridge` (a Child), from `generate(load)` to the context manager `far_end`.

        The throughput is that between the first and the last message at the far end or, with `since_sent`, from when
        the first was sent: what comes in a few large batches is faster than the road between two of them.
        """
        with far_end as result:
            cpu, written = bridge.cpu_seconds(), bridge.written_bytes()
            sent = generate(load)["sent"]
            result = result()
        time.sleep(SETTLE_SECONDS)
        bridge.check_alive()
        if result["distinct"] == 0:
            raise BenchError(f"{bridge.name}: none of {sent} messages arrived{bridge.log_tail()}")
        return Flow(
            sent=sent, received=result["distinct"],
            throughput=result["throughputSinceSent" if since_sent else "throughput"],
            p50=result["p50"], p99=result["p99"], p999=result["p999"],
            cpu_per_message=(bridge.cpu_seconds() - cpu) / sent * 1e6,
            disk_per_message=(bridge.written_bytes() - written) / sent, lost=sent - result["distinct"],
            disordered=result["disordered"])

    def measure_mqtt(self, port, bridge, prefix, sink_filter, load):
        """generator → broker → `bridge` → broker → sink."""
        far_end = self.collecting("sink", load, "--port", port, "--filter", sink_filter)
        return self.measure(bridge, far_end, lambda load: self.generate_mqtt(port, prefix, load), load)

    def measure_passthrough(self, port, load, database=None, version=4):
        """The baseline: a fresh C program on a topic of its own, which the product does not see."""
        durable = ["--durable", database] if database else []
        bridge = self.start("passthrough", "--port", port, "--filter", "reference/#", "--version", version, *durable)
        try:
            bridge.read_line(10)
            return self.measure_mqtt(port, bridge, "reference", "out/reference/#", load)
        finally:
            bridge.stop()
