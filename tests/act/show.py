#!/usr/bin/env python3
"""Prints act's JSON log as lines, and writes the job summary that it holds to DIR/summary.md.

usage: show.py DIR
"""

import json
import pathlib
import sys

directory = pathlib.Path(sys.argv[1])
summaries = []
for line in (directory / "act.jsonl").read_text().splitlines():
    try:
        entry = json.loads(line)
    except ValueError:
        print(line)
        continue
    print(str(entry.get("msg", "")).rstrip("\n"))
    if entry.get("command") == "summary":
        summaries.append(entry.get("content", ""))
print((directory / "act.err").read_text(), end="")
(directory / "summary.md").write_text("\n".join(summaries))
