#!/usr/bin/env python3
"""Measures load generators against a server that knows what it sent. Started by benches/peers.sh, which says how.

For each number of streams, each client in turn: the CPU time of its whole process tree, the most memory that the tree
had at once, and how far its percentiles are from those of what the server really sent to it.
"""

import json
import os
import pathlib
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import psutil

MODEL = "known-timing"
LOOK = 0.05  # seconds between two looks at a client's processes
LONGEST = 1800  # seconds that a client may take


def setting(name, default):
    return os.environ.get(name) or default


def only(folder, pattern):
    """The one result that a client left."""
    return json.loads(next(folder.glob(pattern)).read_text())


def read_ours(folder):
    result = only(folder, "r.json")
    return {"ttft": result["ttft_ms"], "itl": result["itl_ms"]}


def read_guidellm(folder):
    metrics = only(folder, "r.json")["benchmarks"][0]["metrics"]
    names = {"ttft": "time_to_first_token_ms", "itl": "inter_token_latency_ms"}
    return {short: metrics[name]["successful"]["percentiles"] for short, name in names.items()}


def read_aiperf(folder):
    result = only(folder, "**/profile_export_aiperf.json")
    return {"ttft": result["time_to_first_token"], "itl": result["inter_token_latency"]}


def read_vllm(folder):
    result = only(folder, "*.json")
    return {
        name: {"p50": result[f"median_{name}_ms"], "p99": result[f"p99_{name}_ms"]} for name in ("ttft", "itl")
    }


def clients(binary):
    """Name, command, and how its result is read."""
    yield (
        "llm-deploy bench",
        f"{shlex.quote(binary)} bench --url {{url}} --model {MODEL} --concurrency {{streams}} --requests {{requests}} "
        "--output-tokens {tokens} --json {out}/r.json",
        read_ours,
    )
    yield (
        "guidellm",
        f"{shlex.quote(os.environ['GUIDELLM'])} run --backend kind=openai_http,target={{url}},model={MODEL} "
        "--profile kind=concurrent,streams={streams} --constraint kind=max_requests,count={requests} "
        "--tokenizer kind=hf_auto,model={tokenizer} --data kind=synthetic_text,prompt_tokens=32,output_tokens={tokens} "
        "--output kind=json,path={out}/r.json --disable-console",
        read_guidellm,
    )
    yield (
        "aiperf",
        f"{shlex.quote(os.environ['AIPERF'])} profile --model {MODEL} --url {{url}} --endpoint-type chat --streaming "
        "--concurrency {streams} --request-count {requests} --tokenizer {tokenizer} --isl 32 --osl {tokens} "
        "--output-artifact-dir {out} --ui none",
        read_aiperf,
    )
    if os.environ.get("VLLM"):
        yield (
            "vllm bench serve",
            f"{shlex.quote(os.environ['VLLM'])} bench serve --backend openai-chat --base-url {{url}} "
            f"--endpoint /v1/chat/completions --model {MODEL} --tokenizer {{tokenizer}} --dataset-name random "
            "--random-input-len 32 --random-output-len {tokens} --num-prompts {requests} --max-concurrency {streams} "
            "--ignore-eos --percentile-metrics ttft,itl --metric-percentiles 50,99 --save-result --result-dir {out}",
            read_vllm,
        )


class Server:
    """`bench-selftest serve`."""

    def __init__(self, selftest):
        port_file = pathlib.Path(tempfile.mkdtemp()) / "port"
        timing = {"--ttft-ms": ("TTFT_MS", "50"), "--gap-ms": ("GAP_MS", "10"), "--spread-ms": ("SPREAD_MS", "5")}
        arguments = [f"{flag}={setting(*named)}" for flag, named in timing.items()]
        self.process = subprocess.Popen([selftest, "serve", "--port-file", port_file, *arguments])
        deadline = time.monotonic() + 20
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the known-timing server did not start")
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{port_file.read_text()}"
        shutil.rmtree(port_file.parent)

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/reset", method="POST"), timeout=20).read()

    def truth(self):
        stats = json.load(urllib.request.urlopen(f"{self.url}/stats", timeout=20))
        return {"ttft": stats["ttft_ms"], "itl": stats["itl_ms"]}


def memory(process):
    """Resident memory of a process and all below it, in bytes."""
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.Error:
                pass  # It has just ended.
    except psutil.Error:
        pass
    return total


def run(command, log):
    """Exit code, CPU seconds and peak memory of a command's process tree."""

    def cpu():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before, peak, deadline = cpu(), 0, time.monotonic() + LONGEST
    with open(log, "w") as output:
        process = psutil.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while process.poll() is None:
            peak = max(peak, memory(process))
            if time.monotonic() > deadline:
                for one in [*process.children(recursive=True), process]:
                    one.kill()
            time.sleep(LOOK)
    return process.returncode, cpu() - before, peak


def row(name, streams, command, read, server, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server.reset()
    code, cpu, peak = run(command, f"{folder}.log")
    truth = server.truth()
    cells = [name, streams, f"{cpu:.2f}", f"{peak / 2**20:.0f}"]
    if code != 0:
        return [*cells, f"exit code {code}, see {folder}.log"]
    try:
        result = read(folder)
        for timing in ("ttft", "itl"):
            for percentile in ("p50", "p99"):
                said, sent = result[timing][percentile], truth[timing][percentile]
                cells.append(f"{said - sent:+.3f} ({sent:.2f})")
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        cells.append(f"result not read ({error!r}), see {folder}.log")
    return cells


def main():
    binary, selftest, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    tokens, tokenizer = setting("TOKENS", "64"), setting("TOKENIZER", "openai-community/gpt2")
    requests = int(setting("REQUESTS", "300"))
    server = Server(selftest)
    head = ["client", "streams", "CPU s", "peak MiB", "TTFT p50 − truth (truth), ms", "TTFT p99", "ITL p50", "ITL p99"]
    print(f"load before: {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores\n\n| {' | '.join(head)} |")
    print("|---" * len(head) + "|", flush=True)
    try:
        for streams in map(int, setting("CONCURRENCY", "1,16,64,256").split(",")):
            count = requests if streams > 1 else max(requests // 10, 1)
            for name, command, read in clients(binary):
                folder = out / f"{name.replace(' ', '-')}-{streams}"
                command = command.format(
                    url=server.url, streams=streams, requests=count, tokens=tokens, tokenizer=tokenizer, out=folder
                )
                cells = row(name, streams, command, read, server, folder)
                print(f"| {' | '.join(map(str, cells))} |", flush=True)
    finally:
        server.process.terminate()
        server.process.wait(20)


if __name__ == "__main__":
    main()
