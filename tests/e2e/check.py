#!/usr/bin/env python3
"""Looks at the report that `demo --serve` made with real vLLM.

usage: check.py DIR     (DIR has report.json and comment.md; exits 1 and says why when a promise is broken)
"""

import json
import pathlib
import sys

broken = []


def promise(text: str, kept: bool, seen: object = "") -> None:
    print(("ok      " if kept else "BROKEN  ") + text + ("" if kept else f": {str(seen)[:2000]}"))
    if not kept:
        broken.append(text)


def find(value: object, name: str) -> list:
    """Every value of the key `name`, at any depth: the check is about what is there, not about the nesting."""
    if isinstance(value, dict):
        inner = [found for key in value for found in find(value[key], name)]
        return ([value[name]] if name in value else []) + inner
    if isinstance(value, list):
        return [found for item in value for found in find(item, name)]
    return []


def percentiles(report: dict, metric: str) -> list[float]:
    """The p50 and p95 of a metric, in all of its measurements. Its key may carry a unit (`ttft_ms`)."""
    keys = {key for key in all_keys(report) if key == metric or key.startswith(metric + "_")}
    found = [value for key in keys for value in find(report, key) if isinstance(value, dict)]
    return [v[p] for v in found for p in v if p.startswith(("p50", "p95")) and isinstance(v[p], (int, float))]


def all_keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in all_keys(inner)}
    if isinstance(value, list):
        return {key for item in value for key in all_keys(item)}
    return set()


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    report = json.loads((directory / "report.json").read_text())
    promise("the report says `succeeded`", report.get("status") == "succeeded", report.get("status"))
    for metric in ["ttft", "itl", "e2e"]:
        values = percentiles(report, metric)
        promise(f"{metric} was measured", len(values) >= 2, report)
        promise(f"no percentile of {metric} is zero", bool(values) and all(value > 0 for value in values), values)
    comment = (directory / "comment.md").read_text()
    promise("the comment has a latency table", "p50" in comment and "p95" in comment, comment)
    promise("the comment says which server it was", "stand-in" not in comment.lower(), comment)
    sys.exit(1 if broken else 0)


main()
