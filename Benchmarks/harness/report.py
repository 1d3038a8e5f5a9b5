"""Rows, budgets, the table and results.json."""

import json
from dataclasses import dataclass


@dataclass
class Row:
    scenario: str
    metric: str
    value: float | None      # None: only the baseline was measured
    unit: str
    baseline: float | None = None
    conditions: str = ""     # the disk and the broker while a durable figure was measured
    void: str = ""           # why the comparison says nothing
    note: str = ""
    is_detail: bool = False  # for results.json only; the table has it in a remark

    @property
    def ratio(self):
        if self.value is None or not self.baseline:
            return None
        return self.value / self.baseline


@dataclass
class Budget:
    """A bound on the ratio, or on the value itself."""

    limit: float
    at_least: bool = False
    absolute: bool = False

    def text(self):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g}" + ("" if self.absolute else " ×")

    def verdict(self, row):
        measured = row.value if self.absolute else row.ratio
        if measured is None:
            return "–"
        kept = measured >= self.limit if self.at_least else measured <= self.limit
        return "ok" if kept else "MISSED"


# By the beginnings of scenario and metric; the first that fits counts.
BUDGETS = [
    ("bridge mqtt qos 1", "throughput", Budget(0.7, at_least=True)),
    ("bridge mqtt qos 1", "cpu per message", Budget(2)),
    ("bridge mqtt qos 1", "disk bytes per message", Budget(6000, absolute=True)),
    ("bridge", "throughput", Budget(0.7, at_least=True)),
    ("bridge", "cpu per message", Budget(2)),
    ("http-push", "throughput", Budget(0.7, at_least=True)),
    ("http-push", "cpu per message", Budget(2)),
    ("latency mqtt qos 1", "p50", Budget(1.5)),
    ("latency mqtt qos 1", "p99.9", None),
    ("latency mqtt qos 1", "p99", Budget(2)),
    ("memory", "idle anonymous", Budget(15, absolute=True)),
    ("memory", "idle resident", Budget(45, absolute=True)),
    ("memory", "per hot thing", Budget(1.5)),
    ("start", "ready with", Budget(150, absolute=True)),
    ("http", "get thing", Budget(0.7, at_least=True)),
    ("script", "map a message", Budget(1.5)),
    ("engine", "serialisations of an event", Budget(1, absolute=True)),
]


def budget_of(row):
    for scenario, metric, budget in BUDGETS:
        if row.scenario.startswith(scenario) and row.metric.startswith(metric):
            return budget
    return None


def _number(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def verdict_of(row):
    if row.void:
        return "void"
    budget = budget_of(row)
    return budget.verdict(row) if budget else ""


def table(rows):
    """The aligned text, one line per row."""
    header = ["scenario", "metric", "value", "unit", "baseline", "ratio", "budget", "", "remarks"]
    cells = []
    for row in rows:
        if row.is_detail:
            continue
        budget = budget_of(row)
        remarks = [row.conditions] if row.conditions else []
        remarks += [f"void: {row.void}"] if row.void else []
        remarks += [row.note] if row.note else []
        cells.append([
            row.scenario, row.metric, _number(row.value), row.unit, _number(row.baseline),
            f"{row.ratio:.2f} ×" if row.ratio is not None else "–", budget.text() if budget else "",
            verdict_of(row), "; ".join(remarks)])
    widths = [max(len(line[column]) for line in [header, *cells]) for column in range(len(header))]
    right = {2, 4, 5}
    lines = []
    for line in [header, *cells]:
        parts = [cell.rjust(width) if column in right else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def write_results(rows, path):
    """The list of {scenario, metric, value, unit, baseline, ratio}, details included; what was not measured or is
    void is null."""
    def rounded(value):
        return None if value is None else round(value, 4)

    results = [{
        "scenario": row.scenario, "metric": row.metric, "value": rounded(row.value), "unit": row.unit,
        "baseline": rounded(row.baseline), "ratio": None if row.void else rounded(row.ratio)} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
