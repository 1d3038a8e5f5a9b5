"""What the scenarios share: how much is done, where things lie, what is said and computed of a flow."""

import os
import statistics
import time
from dataclasses import dataclass

from .broker import Broker
from .product import Product
from .tools import CPrograms, Tools, build_swift_program, say

VOID_CPU_MICROSECONDS = 40  # a slower baseline is not worth comparing with
FEW_LOST = 0.001            # of the messages; a bridge that drops more is not doing the same work


@dataclass
class Sizes:
    """How much is done; `--quick` takes the small ones."""

    rounds: int
    messages: int           # per throughput run
    rate: int               # messages/s of the latency runs
    rate_seconds: int
    many_things: int
    start_things: int
    hot_things: int         # touched between the two memory readings
    http_seconds: int
    engine_milliseconds: int  # per command, contestant and round


FULL = Sizes(rounds=5, messages=200_000, rate=1000, rate_seconds=30, many_things=1_000_000, start_things=100_000,
             hot_things=40_000, http_seconds=5, engine_milliseconds=300)
QUICK = Sizes(rounds=2, messages=20_000, rate=1000, rate_seconds=5, many_things=50_000, start_things=10_000,
              hot_things=5_000, http_seconds=2, engine_milliseconds=60)


class Bench:
    """What the scenarios share: where things are, how much to do, data directories that are seeded once."""

    def __init__(self, binary, work, package, sizes, inflight, baseline_only=False, swift_programs=None,
                 before=None):
        self.binary = binary
        self.work = work
        self.package = package
        self.sizes = sizes
        self.inflight = inflight
        self.baseline_only = baseline_only
        self.swift_programs = swift_programs
        self.before = before
        self.tools = Tools(CPrograms(package / "Baseline", work / "bin"), work / "logs")
        self._rate_runs = None
        self._fsyncs = []

    def broker(self, name):
        return Broker(self.work / f"broker-{name}-{time.monotonic_ns()}", self.inflight)

    def product(self, name, broker=None, binary=None, **options):
        return Product(binary or self.binary, self.work / f"product-{name}", broker and broker.port, **options)

    def swift_program(self, name):
        if self.swift_programs:
            return self.swift_programs / name
        return build_swift_program(self.package, name)

    def measure_product(self, product, load):
        return self.tools.measure_mqtt(
            product.broker_port, product.child, product.prefix, f"{product.events}/#", load)

    def begin_round(self, number):
        say(f"  round {number + 1} of {self.sizes.rounds}")
        # Next to each round: on a shared disk the figure changes from minute to minute.
        self._fsyncs.append(fsync_milliseconds(self.work))

    def conditions(self, broker=None):
        """What stands beside the durable figures of the rounds since the last call; Mosquitto's window by default."""
        fsync, self._fsyncs = statistics.median(self._fsyncs), []
        return f"fsync p50 {fsync:.2f} ms, " + (broker or f"in flight {self.inflight}")

    def rate_runs(self, run):
        """(ours, baseline, conditions) at an even rate, from `run(bench)`; two scenarios report from the same runs."""
        if self._rate_runs is None:
            self._rate_runs = run(self)
        return self._rate_runs


def fsync_milliseconds(folder, samples=200):
    """p50 of an fdatasync behind a 4 KiB write: what one durable commit costs at least on this disk."""
    path = folder / "fsync-probe"
    taken = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for index in range(samples):
            os.pwrite(descriptor, os.urandom(4096), index * 4096)
            begin = time.monotonic()
            os.fdatasync(descriptor)
            taken.append((time.monotonic() - begin) * 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken)


def median(flows, field):
    return statistics.median(getattr(flow, field) for flow in flows) if flows else None


def lost_note(flows):
    sent, lost = sum(flow.sent for flow in flows), sum(flow.lost for flow in flows)
    notes = [f"{lost:,} of {sent:,} events did not arrive"] if lost > sent * FEW_LOST else []
    disordered = sum(flow.disordered for flow in flows)
    notes += [f"{disordered:,} events came behind a later one of their device"] if disordered else []
    return ", ".join(notes)


def say_flow(who, flow):
    say(f"    {who:<12} {flow.throughput:>9,.0f} msg/s  {flow.cpu_per_message:>6.1f} µs CPU  "
        f"p50 {flow.p50:,.0f} µs  {flow.disk_per_message:,.0f} B disk"
        + (f"  {flow.lost:,} lost" if flow.lost else ""))
