#!/usr/bin/env python3
"""Has real hf_xet read the environment that download.sh gives its client, and checks that its buffers stay small.

usage: hf_xet.py VERSION…     installs each version of hf_xet into a folder of its own; exits 1 if one buffers too much

download.sh runs with a base image's worst environment (high performance on). Its `hf` is a program that prints the
configuration which hf_xet made of the environment, and then ends the download.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

DOWNLOAD = pathlib.Path(__file__).resolve().parents[2] / "src" / "image" / "download.sh"
# Of 4 GB, the smallest builder's memory.
MOST_BYTES = 1_000_000_000

CLIENT = """#!{python}
import json, os, hf_xet
config = hf_xet.XetConfig()
names = ("download_buffer_size", "download_buffer_perfile_size", "download_buffer_limit")
figures = {{name: config.get("reconstruction." + name) for name in names}}
figures["max_concurrent_file_downloads"] = config.get("data.max_concurrent_file_downloads")
open(os.environ["FIGURES"], "w").write(json.dumps(figures, default=str))
raise SystemExit(7)
"""


def size(text: object) -> int:
    """Bytes of hf_xet's `512MB`."""
    text = str(text).lower()
    for unit, factor in (("tb", 10**12), ("gb", 10**9), ("mb", 10**6), ("kb", 10**3), ("b", 1), ("", 1)):
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * factor)
    raise ValueError(text)


def figures(site: pathlib.Path, environment: dict[str, str], script: pathlib.Path) -> dict[str, object]:
    """What hf_xet in `site` makes of the environment of `script`'s client."""
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "bin").mkdir()
        client = work / "bin" / "hf"
        client.write_text(CLIENT.format(python=sys.executable))
        client.chmod(0o755)
        (work / "manifest.tsv").write_text("00\t5\tconfig.json\n")
        environment = os.environ | environment | {
            "PATH": f"{client.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(site),
            "FIGURES": str(work / "figures.json"),
            "HF_TOKEN_FILE": str(work / "none"),
        }
        command = ["sh", script, "org/model", "0" * 40, work / "manifest.tsv", work / "layers"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 7:
            sys.exit(f"{script} did not reach its client: {done.stdout}{done.stderr}")
        return json.loads((work / "figures.json").read_text())


def buffered(found: dict[str, object]) -> int:
    """The most that hf_xet buffers, by its own rule: base and per-file buffers, up to the limit."""
    files = int(str(found["max_concurrent_file_downloads"]))
    wanted = size(found["download_buffer_size"]) + files * size(found["download_buffer_perfile_size"])
    return min(wanted, size(found["download_buffer_limit"]))


def main() -> None:
    worst = {"HF_XET_HIGH_PERFORMANCE": "1", "HF_XET_HP": "1"}
    too_much = False
    for version in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            site = pathlib.Path(folder)
            install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, f"hf_xet=={version}"]
            subprocess.run(install, check=True)
            most = buffered(figures(site, worst, DOWNLOAD))
            # The check can fail: without the limits, the same environment buffers several times as much.
            bare = site / "bare.sh"
            lines = [line for line in DOWNLOAD.read_text().splitlines() if "HF_XET_" not in line]
            bare.write_text("\n".join(lines) + "\n")
            without = buffered(figures(site, worst, bare))
        print(f"hf_xet {version}: at most {most / 1e9:.1f} GB buffered, {without / 1e9:.1f} GB without the limits")
        if most > MOST_BYTES:
            print(f"  more than {MOST_BYTES / 1e9:.1f} GB")
            too_much = True
        if without <= MOST_BYTES:
            print("  this version would be small by itself: it proves nothing")
            too_much = True
    sys.exit(1 if too_much or not sys.argv[1:] else 0)


main()
