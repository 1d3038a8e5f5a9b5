"""The scenarios of the brokers in routes.py: flows through the twin and through a bare program, and memory."""

import statistics
import time
from contextlib import ExitStack
from functools import partial

from .bench import VOID_CPU_MICROSECONDS, lost_note, median, say_flow
from .processes import BenchError
from .report import Row
from .routes import ROUTES
from .tools import Load, say

THINGS = 1000
IDLE_SECONDS = 5


def bridge(route_type, bench):
    """Rounds of the same load through twinspan and through the baseline, alternating, at one broker."""
    route = route_type(bench)
    load = Load(count=min(bench.sizes.messages, route.max_messages))
    ours, baseline = [], []
    with ExitStack() as stack:
        route.enter(stack)
        relay = route.start_baseline()
        stack.callback(relay.stop)
        product = None
        if not bench.baseline_only:
            product = stack.enter_context(bench.product(f"{route.kind}", route=route))
            say(f"  seeding {THINGS:,} things")
            product.seed(bench.tools, THINGS)
            route.measure(product.child, Load(count=5000), is_baseline=False)  # warm caches, files and connections
        route.measure(relay, Load(count=5000), is_baseline=True)
        for number in range(bench.sizes.rounds):
            bench.begin_round(number)
            if product:
                ours.append(route.measure(product.child, load, is_baseline=False))
                say_flow("twinspan", ours[-1])
            baseline.append(route.measure(relay, load, is_baseline=True))
            say_flow("baseline", baseline[-1])
    return _rows(route, ours, baseline, bench)


def _rows(route, ours, baseline, bench):
    cpu = median(baseline, "cpu_per_message")
    void = "" if cpu <= VOID_CPU_MICROSECONDS or route.kind == "http-push" else \
        f"the baseline needed {cpu:.0f} µs CPU per message, more than {VOID_CPU_MICROSECONDS}"
    conditions = bench.conditions(route.conditions())
    added = f"{median(ours, 'cpu_per_message') - cpu:.1f} µs more than the baseline; " if ours else ""
    return [
        Row(route.name, "throughput", median(ours, "throughput"), "msg/s", median(baseline, "throughput"), conditions,
            void=void, note=lost_note(ours)),
        Row(route.name, "cpu per message", median(ours, "cpu_per_message"), "µs", cpu, conditions, void=void,
            note=f"{added}baseline: {route.baseline}")]


# MARK: memory

def memory(bench):
    """Idle memory without a connection and with one of each kind; without one also of the program of --before."""
    if bench.baseline_only:
        return []
    rows = []
    sizes = [program and program.stat().st_size / 1e6 for program in (bench.binary, bench.before)]
    rows.append(Row("adapters-memory", "size of the binary", sizes[0], "MB", sizes[1], note="baseline: --before"))
    none = _idle(bench, "none", None)
    before = _idle(bench, "before", None, binary=bench.before) if bench.before else (None, None)
    for index, metric in enumerate(("anonymous", "resident")):
        rows.append(Row("adapters-memory", f"no connection, {metric}", none[index], "MB", before[index],
                        note="baseline: --before"))
    failures = []
    for route_type in ROUTES:
        try:
            with ExitStack() as stack:
                route = route_type(bench)
                route.enter(stack)
                # The target's connection for HTTP push, which has no source; the source's for all others.
                name = "events-out" if route.kind == "http-push" else "telemetry-in"
                figures = _idle(bench, route.kind, _Only(route, name))
        except BenchError as error:
            failures.append(f"{route_type.kind}: {error}")
            continue
        for index, metric in enumerate(("anonymous", "resident")):
            rows.append(Row("adapters-memory", f"one {route.kind} connection, {metric}", figures[index], "MB",
                            note=f"{figures[index] - none[index]:+.1f} MB"))
    if failures:
        raise BenchError("; ".join(failures), rows)
    return rows


class _Only:
    """One connection of a route, or none at all."""

    def __init__(self, route, name):
        self.files = {name: route.connections()[name]} if route else {}

    def connections(self):
        return self.files


def _idle(bench, name, route, binary=None):
    """(RssAnon, VmRSS) in 10^6 bytes, medians over the rounds, each of a fresh process."""
    figures = []
    for number in range(bench.sizes.rounds):
        product = bench.product(f"idle-{name}-{number}", binary=binary, route=route or _Only(None, None))
        with product:
            time.sleep(IDLE_SECONDS)
            figures.append(product.child.memory())
    medians = tuple(statistics.median(figure[index] for figure in figures) / 1e6 for index in (0, 1))
    say(f"    {name:<12} {medians[0]:.1f} MB anonymous, {medians[1]:.1f} MB resident")
    return medians


# By the name that --only takes.
SCENARIOS = {name: partial(bridge, route) for name, route in zip(
    ("mqtt5", "amqp091", "amqp10", "kafka", "http-push"), ROUTES)}
