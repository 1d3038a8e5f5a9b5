"""The scenarios of `make bench`. Each takes the bench and returns its rows."""

import json
import re
import shutil
import statistics
import subprocess
import time
from contextlib import ExitStack

from . import bridges
from .bench import VOID_CPU_MICROSECONDS, lost_note, median, say_flow
from .processes import BenchError, Child, free_port, wait_for_port
from .product import grown_policies
from .report import Row
from .tools import Load, say

BRIDGE = "bridge mqtt qos 1"
GROWN = "bridge under a policy of 20 entries and 3 imports"
LATENCY = "latency mqtt qos 1"


# MARK: throughput

def bridge(bench):
    rows = _throughput(bench)
    if not bench.baseline_only:
        rows.append(_throughput_with_many_things(bench))
    ours, baseline, conditions = bench.rate_runs(_run_at_rate)
    rows.append(Row(BRIDGE, "disk bytes per message", median(ours, "disk_per_message"), "bytes",
                    median(baseline, "disk_per_message"), conditions))
    return rows


def _throughput(bench):
    load = Load(count=bench.sizes.messages)
    ours, baseline = [], []
    with ExitStack() as stack:
        broker = stack.enter_context(bench.broker("throughput"))
        product = None
        if not bench.baseline_only:
            product = stack.enter_context(bench.product("1000", broker))
            say("  seeding 1,000 things")
            product.seed(bench.tools, 1000)
            bench.measure_product(product, Load(count=5000))  # warm caches and files
        for number in range(bench.sizes.rounds):
            bench.begin_round(number)
            if product:
                ours.append(bench.measure_product(product, load))
                say_flow("twinspan", ours[-1])
            baseline.append(bench.tools.measure_passthrough(broker.port, load))
            say_flow("passthrough", baseline[-1])
    cpu = median(baseline, "cpu_per_message")
    void = "" if cpu <= VOID_CPU_MICROSECONDS else \
        f"the baseline needed {cpu:.0f} µs CPU per message, more than {VOID_CPU_MICROSECONDS}"
    conditions = bench.conditions()
    return [
        Row(BRIDGE, "throughput", median(ours, "throughput"), "msg/s", median(baseline, "throughput"), conditions,
            void=void, note=lost_note(ours)),
        Row(BRIDGE, "cpu per message", median(ours, "cpu_per_message"), "µs", cpu, conditions)]


def _throughput_with_many_things(bench):
    many = bench.sizes.many_things
    few_load = Load(count=bench.sizes.messages)
    # The hot ones are spread over all of them, so that they share no page of the store.
    many_load = Load(count=bench.sizes.messages, stride=max(1, many // 1000))
    few_flows, many_flows = [], []
    with ExitStack() as stack:
        broker = stack.enter_context(bench.broker("many"))
        few = stack.enter_context(bench.product("1000", broker))
        few.seed(bench.tools, 1000)
        large = stack.enter_context(bench.product("many", broker, prefix="million"))
        say(f"  seeding {many:,} things")
        large.seed(bench.tools, many)
        large.stop()  # what was just created must not be hot
        large.start()
        for product, stride in ((few, 1), (large, many_load.stride)):
            bench.measure_product(product, Load(count=5000, stride=stride))
        for number in range(bench.sizes.rounds):
            bench.begin_round(number)
            many_flows.append(bench.measure_product(large, many_load))
            say_flow(f"{many:,}", many_flows[-1])
            few_flows.append(bench.measure_product(few, few_load))
            say_flow("1,000", few_flows[-1])
    return Row(BRIDGE, f"throughput at {many} things", median(many_flows, "throughput"), "msg/s",
               median(few_flows, "throughput"), bench.conditions(), note=lost_note(many_flows))


def grown_policy(bench):
    """The bridge under a policy of 20 entries that imports three others, against the same under a policy of two."""
    if bench.baseline_only:
        return []
    load = Load(count=bench.sizes.messages)
    grown_flows, plain_flows = [], []
    with ExitStack() as stack:
        broker = stack.enter_context(bench.broker("policies"))
        plain = stack.enter_context(bench.product("plain", broker))
        grown = stack.enter_context(bench.product("grown", broker, prefix="grown", policies=grown_policies()))
        for product in (plain, grown):
            product.seed(bench.tools, 1000)
            bench.measure_product(product, Load(count=5000))
        for number in range(bench.sizes.rounds):
            bench.begin_round(number)
            # In turns, so that neither is always the one that finds the disk rested.
            pair = [(grown, grown_flows), (plain, plain_flows)]
            for product, flows in pair if number % 2 == 0 else reversed(pair):
                flows.append(bench.measure_product(product, load))
                say_flow("grown" if product is grown else "plain", flows[-1])
    conditions = bench.conditions()
    return [
        Row(GROWN, "throughput", median(grown_flows, "throughput"), "msg/s", median(plain_flows, "throughput"),
            conditions, note=lost_note(grown_flows)),
        Row(GROWN, "cpu per message", median(grown_flows, "cpu_per_message"), "µs",
            median(plain_flows, "cpu_per_message"), conditions)]


# MARK: latency

def _run_at_rate(bench):
    sizes = bench.sizes
    say(f"  at {sizes.rate} messages/s")
    load = Load(count=sizes.rate * sizes.rate_seconds, rate=sizes.rate, skip=sizes.rate)
    ours, baseline = [], []
    with ExitStack() as stack:
        broker = stack.enter_context(bench.broker("rate"))
        product = None
        if not bench.baseline_only:
            product = stack.enter_context(bench.product("1000", broker))
            product.seed(bench.tools, 1000)
            bench.measure_product(product, Load(count=5000))
        for number in range(sizes.rounds):
            bench.begin_round(number)
            if product:
                ours.append(bench.measure_product(product, load))
                say_flow("twinspan", ours[-1])
            database = bench.work / f"baseline-{number}.db"
            baseline.append(bench.tools.measure_passthrough(broker.port, load, database))
            say_flow("durable C", baseline[-1])
            for file in bench.work.glob(f"{database.name}*"):
                file.unlink()
    return ours, baseline, bench.conditions()


def latency(bench):
    ours, baseline, conditions = bench.rate_runs(_run_at_rate)
    wanted = bench.sizes.rate * 0.95
    void = ""
    if median(baseline, "throughput") < wanted:
        void = f"one fsync per message is too slow here for {bench.sizes.rate}/s"
    rows = []
    for metric, field in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")):
        rows.append(Row(LATENCY, metric, median(ours, field), "µs", median(baseline, field), conditions,
                        void=void, note=lost_note(ours)))
    return rows


# MARK: memory and start

def memory(bench):
    if bench.baseline_only:
        return []
    anonymous, resident = [], []
    for number in range(bench.sizes.rounds):
        with bench.broker("idle") as broker, bench.product(f"idle-{number}", broker, connections=3) as product:
            time.sleep(5)
            values = product.child.memory()
            anonymous.append(values[0] / 1e6)
            resident.append(values[1] / 1e6)
            say(f"    idle: {anonymous[-1]:.1f} MB anonymous, {resident[-1]:.1f} MB resident")
    bare = _bare_server_memory(bench)
    growth, text = _memory_per_hot_thing(bench)
    return [
        Row("memory", "idle anonymous", statistics.median(anonymous), "MB", bare and bare[0] / 1e6),
        Row("memory", "idle resident", statistics.median(resident), "MB", bare and bare[1] / 1e6),
        Row("memory", "per hot thing", growth, "bytes", text, note="baseline: its JSON text")]


def _bare_server_memory(bench):
    """Hummingbird with one route, if it was built for another scenario already."""
    folder = bench.swift_programs or bench.package / ".build" / "release"
    program = folder / "hummingbird-constant"
    if not program.exists():
        return None
    port = free_port()
    child = Child("hummingbird-constant", [program, port], bench.work / "hummingbird.log")
    try:
        wait_for_port(child, port)
        time.sleep(2)
        return child.memory()
    finally:
        child.stop()


def _memory_per_hot_thing(bench):
    """Growth of RssAnon per thing that becomes hot, and the length of such a thing's JSON text."""
    hot = bench.sizes.hot_things
    warm = hot // 4
    with bench.broker("hot") as broker, bench.product("start", broker) as product:
        say(f"  seeding {bench.sizes.start_things:,} things")
        product.seed(bench.tools, bench.sizes.start_things)
        product.stop()
        product.start()
        # The first ones bring every buffer and arena to its working size, so that the rest is growth by things alone.
        bench.measure_product(product, Load(count=warm * 8, devices=warm))
        before = product.child.memory()[0]
        bench.measure_product(product, Load(count=hot, devices=hot, first=warm))
        after = product.child.memory()[0]
        lengths = []
        for number in range(warm, warm + hot, max(1, hot // 20)):
            status, body = product.request("GET", f"/api/2/things/bench:device-{number}")
            if status != 200:
                raise BenchError(f"GET of bench:device-{number} answered {status}")
            lengths.append(len(body))
    growth = (after - before) / hot
    say(f"    {growth:.0f} bytes per hot thing, JSON text {statistics.mean(lengths):.0f} bytes")
    return growth, statistics.mean(lengths)


def start(bench):
    if bench.baseline_only:
        return []
    taken = []
    with bench.broker("start") as broker, bench.product("start", broker) as product:
        say(f"  seeding {bench.sizes.start_things:,} things")
        product.seed(bench.tools, bench.sizes.start_things)
        for _ in range(max(5, bench.sizes.rounds)):
            product.stop()
            taken.append(product.start())
            say(f"    ready after {taken[-1]:.0f} ms")
    return [Row("start", f"ready with {bench.sizes.start_things} things", statistics.median(taken), "ms")]


# MARK: HTTP, JSON and the engine alone

def http(bench):
    program = bench.swift_program("hummingbird-constant")
    ours, baseline = [], []
    with ExitStack() as stack:
        port = free_port()
        constant = Child("hummingbird-constant", [program, port], bench.work / "hummingbird.log")
        stack.callback(constant.stop)
        wait_for_port(constant, port)
        product = None
        if not bench.baseline_only:
            broker = stack.enter_context(bench.broker("http"))
            product = stack.enter_context(bench.product("1000", broker))
            product.seed(bench.tools, 1000)
        for number in range(bench.sizes.rounds):
            say(f"  round {number + 1} of {bench.sizes.rounds}")
            if product:
                url = f"http://127.0.0.1:{product.http_port}/api/2/things/bench:device-17"
                ours.append(_wrk(url, bench.sizes.http_seconds, product.authorization))
                say(f"    {'twinspan':<12} {ours[-1]:>9,.0f} requests/s")
            baseline.append(_wrk(f"http://127.0.0.1:{port}/constant", bench.sizes.http_seconds))
            say(f"    {'constant':<12} {baseline[-1]:>9,.0f} requests/s")
    return [Row("http", "get thing", statistics.median(ours) if ours else None, "requests/s",
                statistics.median(baseline))]


def _wrk(url, seconds, authorization=None):
    """Requests per second with one client thread and 32 connections."""
    program = shutil.which("wrk")
    if not program:
        raise BenchError("wrk is not installed: apt-get install wrk")
    headers = ["-H", f"Authorization: {authorization}"] if authorization else []
    output = subprocess.run([program, "-t1", "-c32", f"-d{seconds}s", *headers, url], capture_output=True, text=True,
                            timeout=seconds + 60).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if failed or not rate:
        raise BenchError(f"wrk on {url}: {failed.group(0) if failed else output}")
    return float(rate.group(1))


def json_scenario(bench):
    program = bench.swift_program("json-bench")
    output = subprocess.run([str(program), str(bench.sizes.rounds)], capture_output=True, text=True, timeout=300)
    if output.returncode != 0:
        raise BenchError(f"json-bench failed: {output.stderr}")
    rates = json.loads(output.stdout)
    rows = []
    for metric in ("parse", "write"):
        ours = None if bench.baseline_only else rates[metric]["twinspan"]
        rows.append(Row("json", metric, ours, "MB/s", rates[metric]["cjson"], note="baseline: cJSON"))
        rows.append(Row("json", f"{metric} vs JSONSerialization", ours, "MB/s", rates[metric]["foundation"]))
    return rows


def engine(bench):
    """The five commonest commands and the events of a change, in one process without broker and disk."""
    figures = _engine_bench(bench)
    rows = []
    for name, parts in figures["commands"].items():
        rows += _engine_rows(bench, name, parts)
    for count, writers in figures["events"].items():
        rows += _event_rows(bench, int(count), writers)
    return rows


# What is measured of each operation: key in the program's output and unit, how a metric says it, how a remark does.
ENGINE_MEASURES = (("ns", "", "{:,.0f}"), ("allocations", ", allocations", "{:.1f}"))


def _engine_rows(bench, name, parts):
    """One row per measure in the table; the parts of the sum are rows of the results only."""
    rows = []
    for key, suffix, form in ENGINE_MEASURES:
        baseline = parts["baseline"][key]
        if bench.baseline_only:
            rows.append(Row("engine", name + suffix, None, key, baseline))
            continue
        split = " + ".join(f"{part} {form.format(parts[part][key])}" for part in ("decode", "apply", "encode"))
        say(f"    {name:<18} {form.format(parts['sum'][key]):>7} {key}: {split}")
        rows.append(Row("engine", name + suffix, parts["sum"][key], key, baseline, note=split))
        rows += [Row("engine", f"{name}, {part}{suffix}", parts[part][key], key, is_detail=True)
                 for part in ("decode", "apply", "encode", "commit")]
    return rows


def _event_rows(bench, count, writers):
    if bench.baseline_only:
        return []
    subscribers = f"{count} subscriber" + ("s" if count > 1 else "")
    rows = [Row("engine", f"event to {subscribers}{suffix}", writers["shared"][key], key, writers["separate"][key],
                note="baseline: each subscriber serialises for itself")
            for key, suffix, _ in ENGINE_MEASURES]
    say(f"    event to {subscribers}: {writers['shared']['ns']:,.0f} ns, serialised {writers['serialisations']} ×")
    return rows + [Row("engine", f"serialisations of an event for {subscribers}", writers["serialisations"], "times")]


def _engine_bench(bench, *mode):
    """The figures that engine-bench prints: of the engine, or of what the mode names."""
    command = [str(bench.swift_program("engine-bench")), *mode, str(bench.sizes.rounds),
               str(bench.sizes.engine_milliseconds)]
    output = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if output.returncode != 0:
        raise BenchError(f"engine-bench failed: {output.stderr}")
    return json.loads(output.stdout)


def rql(bench):
    """Typical filters on things in memory, as conditions and as searches, beside following the same paths."""
    rows = []
    for text, figures in _engine_bench(bench, "rql")["rql"].items():
        baseline = figures["baseline"]["ns"]
        if bench.baseline_only:
            rows.append(Row("rql", text, None, "ns", baseline))
            continue
        note = (f"search {figures['search']['ns']:,.0f}, compile {figures['parse']['ns']:,.0f}, "
                f"allocations {figures['model']['allocations']:.1f}")
        say(f"    {text}: {figures['model']['ns']:,.0f} ns, {note}")
        rows.append(Row("rql", text, figures["model"]["ns"], "ns", baseline, note=note))
        rows += [Row("rql", f"{text}, {part}", figures[part]["ns"], "ns", is_detail=True)
                 for part in ("search", "parse")]
        rows.append(Row("rql", f"{text}, allocations", figures["model"]["allocations"], "allocations", is_detail=True))
    return rows


def decisions(bench):
    """What a decision and a reader's view cost under small and large policies, and an entry-by-entry walk beside it."""
    if bench.baseline_only:
        return []
    rows = []
    for entries, figures in _engine_bench(bench, "decisions")["decisions"].items():
        for question, baseline in (("decision", "a walk over the entries"), ("view", "parsing the thing")):
            ours = figures[question]
            note = f"allocations {ours['allocations']:.1f}; baseline: {baseline}"
            say(f"    {entries} entries, {question}: {ours['ns']:,.0f} ns, {note}")
            rows.append(Row("decisions", f"{question} under {entries} entries", ours["ns"], "ns",
                            figures[f"{question} baseline"]["ns"], note=note))
    return rows


def script(bench):
    """A small message through a script mapper, and through the same script in Node.js."""
    node = shutil.which("node")
    if not node:
        raise BenchError("node is not installed: apt-get install nodejs")
    baseline = bench.package / "Baseline"
    milliseconds = str(bench.sizes.engine_milliseconds * 3)
    contestants = {"node": [node, str(baseline / "mapping-node.js"), milliseconds]}
    if not bench.baseline_only:
        contestants["ours"] = [str(bench.swift_program("script-bench")), str(baseline / "mapping.js"), milliseconds]
    figures = {name: [] for name in contestants}
    for _ in range(bench.sizes.rounds):
        for name, command in contestants.items():
            output = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if output.returncode != 0:
                raise BenchError(f"{command[0]} failed: {output.stderr}")
            figures[name].append(json.loads(output.stdout))
            say(f"    {name:<6} {figures[name][-1]['ns']:>8,.0f} ns per message")

    def median(name, key):
        return statistics.median(figure[key] for figure in figures[name]) if name in figures else None

    rows = [Row("script", "map a message", median("ours", "ns"), "ns", median("node", "ns"))]
    if "ours" in figures:
        grown = (median("ours", "rss") - median("ours", "without")) / 1e6
        rows.append(Row("script", "resident memory of the first script", grown, "MB"))
    return rows


# In the order they run. The light ones come first, so that a broken set-up shows early.
SCENARIOS = {
    "json": json_scenario,
    "engine": engine,
    "rql": rql,
    "decisions": decisions,
    "script": script,
    "http": http,
    "start": start,
    "memory": memory,
    "adapters-memory": bridges.memory,
    LATENCY: latency,
    "policies": grown_policy,
    BRIDGE: bridge,
    **bridges.SCENARIOS,
}
