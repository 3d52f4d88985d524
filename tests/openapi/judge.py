#!/usr/bin/env python3
"""Reads the proxy's log; fails on what is not as GitHub's description says, and when too little was seen.

usage: judge.py LOG
"""

import collections
import json
import pathlib
import sys

# What the runs cannot do without. Fewer would mean that the proxy was passed by.
EXPECTED = [
    "pulls/get",
    "issues/list-comments",
    "issues/create-comment",
    "issues/update-comment",
    "repos/create-deployment",
    "repos/create-deployment-status",
    "repos/list-deployments",
    "checks/create",
    "repos/get-content",
    "issues/create",
    "graphql",
    "issues/update",
]
lines = [json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
bad = 0
for line in lines:
    for side in ("request", "response"):
        for mistake in line[side]:
            bad += 1
            print(f"{line['method']} {line['path']} → {line['status']}, {side}: {mistake}")
counts = collections.Counter(line["operation"] for line in lines)
for operation, count in sorted(counts.items(), key=str):
    print(f"{count:5}  {operation}")
missing = [operation for operation in EXPECTED if not counts[operation]]
for operation in missing:
    print(f"never asked: {operation}")
print(f"{len(lines)} exchanges, {bad} mistakes")
sys.exit(1 if bad or missing else 0)
