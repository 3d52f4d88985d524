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


def percentiles(report: dict, metric: str) -> list[float]:
    """The p50 and p95 of a metric, at each concurrency of each model."""
    results = [result for model in report["models"] for result in model["latency"]]
    return [(result[metric] or {}).get(p, 0) for result in results for p in ["p50", "p95"]]


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    report = json.loads((directory / "report.json").read_text())
    promise("the report says `succeeded`", report.get("status") == "succeeded", report.get("status"))
    promise("every check passed", all(c["passed"] for m in report["models"] for c in m["checks"]), report["models"])
    for metric in ["ttft_ms", "itl_ms", "e2e_ms"]:
        values = percentiles(report, metric)
        promise(f"{metric} was measured", len(values) >= 2, report["models"])
        promise(f"no percentile of {metric} is zero", bool(values) and min(values) > 0, values)
    errors = [result["errors"] for m in report["models"] for result in m["latency"]]
    promise("no request of the measurement failed", not any(errors), errors)
    comment = (directory / "comment.md").read_text()
    promise("the comment has a latency table", "p50" in comment and "p95" in comment, comment)
    promise("the comment says which server it was", "serve.sh'` serves" in comment, comment)
    details = [c["detail"] or "" for m in report["models"] for c in m["checks"] if c["name"] == "model listed"]
    # The model could do 8192: 4096 is what the container's arguments say.
    promise("the container's arguments reached vLLM", any("context length 4096" in d for d in details), details)
    tokens = [result["tokens_counted_by_server"] for m in report["models"] for result in m["latency"]]
    promise("vLLM itself counted the tokens", bool(tokens) and all(tokens), tokens)
    sys.exit(1 if broken else 0)


main()
