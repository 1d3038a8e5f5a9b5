"""Builds the C programs and the Swift programs of this folder, and runs one message flow through a bridge."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .processes import BenchError, Child

# Rows are written at most 2 s behind the journal; what they cost belongs to the messages that caused them.
SETTLE_SECONDS = 3


def say(text):
    """Progress, on stderr: stdout is the table's."""
    print(text, file=sys.stderr, flush=True)


def build_c_programs(source, output):
    compiler = shutil.which("cc")
    if not compiler:
        raise BenchError("no C compiler: apt-get install gcc libmosquitto-dev libsqlite3-dev")
    output.mkdir(parents=True, exist_ok=True)
    for name in ("passthrough", "generator", "sink"):
        command = [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", output / name, source / f"{name}.c",
                   source / "client.c", "-lmosquitto", "-lsqlite3"]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if result.returncode != 0:
            raise BenchError(f"{name}.c does not compile (apt-get install libmosquitto-dev libsqlite3-dev):\n"
                             + result.stderr)


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

    def start(self, name, *options):
        self.logs.mkdir(parents=True, exist_ok=True)
        return Child(name, [self.programs / name, *options], self.logs / f"{name}.log")

    def generate(self, port, prefix, load, *options):
        """Runs the generator to its end and returns its JSON line."""
        generator = self.start(
            "generator", "--port", port, "--prefix", prefix, "--count", load.count, "--devices", load.devices,
            "--first", load.first, "--stride", load.stride, *(["--rate", load.rate] if load.rate else []), *options)
        try:
            # Slower than 300/s is no benchmark any more.
            return json.loads(generator.read_line(60 + load.count / (load.rate or 300)))
        finally:
            generator.stop()

    def measure(self, port, bridge, prefix, sink_filter, load):
        """One flow: generator → broker → `bridge` (a Child) → broker → sink."""
        sink = self.start("sink", "--port", port, "--filter", sink_filter, "--count", load.count, "--skip", load.skip,
                          "--idle", 5000)
        try:
            sink.read_line(10)
            cpu, written = bridge.cpu_seconds(), bridge.written_bytes()
            sent = self.generate(port, prefix, load)["sent"]
            result = json.loads(sink.read_line(60 + load.count / 300))
            sink.finish()
        finally:
            sink.stop()
        time.sleep(SETTLE_SECONDS)
        bridge.check_alive()
        if result["distinct"] == 0:
            raise BenchError(f"{bridge.name}: none of {sent} messages arrived at {sink_filter}{bridge.log_tail()}")
        return Flow(
            sent=sent, received=result["distinct"], throughput=result["throughput"],
            p50=result["p50"], p99=result["p99"], p999=result["p999"],
            cpu_per_message=(bridge.cpu_seconds() - cpu) / sent * 1e6,
            disk_per_message=(bridge.written_bytes() - written) / sent, lost=sent - result["distinct"])

    def measure_passthrough(self, port, load, database=None):
        """The baseline: a fresh C program on a topic of its own, which the product does not see."""
        durable = ["--durable", database] if database else []
        bridge = self.start("passthrough", "--port", port, "--filter", "reference/#", *durable)
        try:
            bridge.read_line(10)
            return self.measure(port, bridge, "reference", "out/reference/#", load)
        finally:
            bridge.stop()
