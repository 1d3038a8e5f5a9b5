#!/usr/bin/env python3
"""Measures twinspan next to its baselines and prints a table; see README.md in this folder."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # before our own modules: a benchmark leaves no files in the sources
from harness import report, scenarios  # noqa: E402
from harness.bench import FULL, QUICK, Bench  # noqa: E402
from harness.processes import BenchError, stop_everything  # noqa: E402
from harness.tools import say  # noqa: E402

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent

EXAMPLES = """\
examples:
  Benchmarks/run.py                       everything, about 20 minutes after the Swift builds
  Benchmarks/run.py --quick               the same with little data, some minutes; figures are rough
  Benchmarks/run.py --only bridge --rounds 3
  Benchmarks/run.py --baseline-only       the C programs alone; needs no twinspan
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run.py", description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="SCENARIO", default=[],
                        help="run the scenario of this name, else those whose name begins so; may be repeated: "
                             + ", ".join(f"'{name}'" for name in scenarios.SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="fewer messages, things and rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds per comparison (default 5, quick 2)")
    parser.add_argument("--messages", type=int, metavar="N", help="messages per throughput run (default 200000)")
    parser.add_argument("--things", type=int, metavar="N",
                        help="stored things of the large throughput run (default 1000000)")
    parser.add_argument("--inflight", type=int, default=20, metavar="N",
                        help="the broker's max_inflight_messages (default 20, Mosquitto's own)")
    parser.add_argument("--baseline-only", action="store_true", help="measure the baselines alone")
    parser.add_argument("--binary", type=Path, help="twinspan (default $TWINSPAN_BINARY or .build/release/twinspan)")
    parser.add_argument("--before", type=Path, metavar="BINARY",
                        help="another twinspan, whose idle memory stands beside ours in adapters-memory")
    parser.add_argument("--swift-programs", type=Path, metavar="DIR",
                        help="where hummingbird-constant, json-bench, engine-bench, script-bench and "
                             "push-client lie already built")
    parser.add_argument("--work", type=Path, metavar="DIR",
                        help="data lies here while it runs (default .build/bench): the disk that is measured")
    parser.add_argument("--output", type=Path, default=ROOT / ".build/bench/results.json", metavar="FILE",
                        help="default .build/bench/results.json")
    parser.add_argument("--keep", action="store_true", help="keep data and logs")
    arguments = parser.parse_args()
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return parser, arguments


def chosen_scenarios(parser, wanted):
    if not wanted:
        return list(scenarios.SCENARIOS)
    chosen = []
    for text in wanted:
        fitting = [text] if text in scenarios.SCENARIOS else \
            [name for name in scenarios.SCENARIOS if name.startswith(text)]
        if not fitting:
            parser.error(f"no scenario '{text}'; there are: {', '.join(scenarios.SCENARIOS)}")
        chosen += fitting
    return [name for name in scenarios.SCENARIOS if name in chosen]


def find_binary(arguments):
    if arguments.baseline_only:
        return None
    binary = arguments.binary or Path(os.environ.get("TWINSPAN_BINARY", ROOT / ".build/release/twinspan"))
    if not os.access(binary, os.X_OK):
        raise BenchError(f"there is no program {binary}: build it with `swift build -c release`, name it with "
                         "--binary, or measure the baselines with --baseline-only")
    return binary.resolve()


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def run(chosen, bench, output):
    """Runs the scenarios; a failing one is reported and the others go on. Returns the exit code."""
    rows, failures = [], []
    for name in chosen:
        say(f"{name}")
        try:
            rows.append((name, scenarios.SCENARIOS[name](bench)))
        except BenchError as error:
            failures.append(f"{name}: {error}")
            rows.append((name, error.rows))
            say(f"error: {failures[-1]}")
            stop_everything()
    # The last that ran are the first to be read.
    rows = [row for _, results in reversed(rows) for row in results]
    print(f"{machine()}\nload average {os.getloadavg()[0]:.1f}, {bench.sizes.rounds} rounds, medians\n")
    print(report.table(rows))
    for failure in failures:
        print(f"\nFAILED {failure}")
    report.write_results(rows, output)
    say(f"written: {output}")
    return 1 if failures else 0


def main():
    parser, arguments = parse_arguments()
    chosen = chosen_scenarios(parser, arguments.only)
    sizes = QUICK if arguments.quick else FULL
    sizes.rounds = arguments.rounds or sizes.rounds
    sizes.messages = arguments.messages or sizes.messages
    sizes.many_things = arguments.things or sizes.many_things

    def end(*_):
        raise KeyboardInterrupt

    # Also SIGINT: a driver started in the background inherits it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    work = None
    try:
        binary = find_binary(arguments)
        parent = arguments.work or ROOT / ".build/bench"
        parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        bench = Bench(
            binary, work, FOLDER, sizes, arguments.inflight, arguments.baseline_only,
            arguments.swift_programs, arguments.before)
        return run(chosen, bench, arguments.output)
    except BenchError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        # Cleaning up takes seconds at most; an impatient second Ctrl-C must not leave processes behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stop_everything()
        if work and not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
