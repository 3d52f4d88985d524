#!/usr/bin/env python3
"""Prints act's JSON log as lines. Writes into DIR what it holds: the job summary to summary.md, the outputs that steps set
to outputs.json (unless the workflow wrote that itself), and the names of the workflows that ran to ran.txt.

usage: show.py DIR
"""

import json
import pathlib
import sys

directory = pathlib.Path(sys.argv[1])
summaries = []
outputs = {}
ran = set()
for line in (directory / "act.jsonl").read_text().splitlines():
    try:
        entry = json.loads(line)
    except ValueError:
        print(line)
        continue
    print(str(entry.get("msg", "")).rstrip("\n"))
    if entry.get("command") == "summary":
        summaries.append(entry.get("content", ""))
    if entry.get("command") == "set-output":
        outputs[entry.get("name", "")] = entry.get("arg", "")
    if "/" in entry.get("job", "") and entry.get("stepID"):
        ran.add(entry["job"].split("/")[0])
print((directory / "act.err").read_text(), end="")
(directory / "summary.md").write_text("\n".join(summaries))
if not (directory / "outputs.json").exists():
    (directory / "outputs.json").write_text(json.dumps(outputs))
with (directory / "ran.txt").open("a") as file:
    file.writelines(f"{name}\n" for name in sorted(ran))
