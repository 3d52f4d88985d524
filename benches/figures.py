#!/usr/bin/env python3
"""Measures what the README states of the program itself, on this machine, against the emulator.

usage: benches/figures.py [BINARY]     (default target/dist/llm-deploy)

Prints: size of the binary, start-up time, peak memory of `demo`, wall time of `run` on an unchanged tree, and the time
of three models beside the slowest of them alone. Times are medians; the emulator runs on the same machine.
"""
import json, os, pathlib, resource, statistics, subprocess, sys, tempfile, time

BINARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/dist/llm-deploy").resolve()
PROJECT, REPOSITORY = "demo-project", "octo-org/llm-endpoint"
BASE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def run(arguments, environment=BASE, cwd=None):
    start = time.perf_counter()
    done = subprocess.run([BINARY, *arguments], env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    took = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout.decode()}")
    return took


class Emulator:
    def __init__(self, folder, pace):
        self.folder = pathlib.Path(folder)
        port, env = self.folder / "port", self.folder / "env"
        arguments = ["emulator", "--port-file", port, "--env-file", env, "--record", self.folder / "requests.jsonl"]
        arguments += ["--pace", str(pace), "--ttft-ms", "0", "--gap-ms", "0"]
        self.process = subprocess.Popen([BINARY, *arguments], env=BASE)
        while not port.exists():
            time.sleep(0.02)
        lines = (line.removeprefix("export ").split("=", 1) for line in env.read_text().splitlines())
        self.environment = BASE | {name: value.strip("'") for name, value in lines}
        self.environment |= {
            "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
            "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main",
            "LLM_DEPLOY_SERVICE_ACCOUNT": f"llm-deployer@{PROJECT}.iam.gserviceaccount.com",
            "LLM_DEPLOY_REPORT_DIR": str(self.folder / "report"),
        }
        event = {"ref": "refs/heads/main", "after": self.environment["GITHUB_SHA"], "deleted": False,
                 "repository": {"id": 1, "full_name": REPOSITORY, "default_branch": "main"}}
        (self.folder / "event.json").write_text(json.dumps(event))

    def deploy(self, models):
        config = f"project: {PROJECT}\nregion: europe-west4\nservice: {{ cpu: 4, memory: 16Gi }}\n"
        config += "latency: { requests: 0 }\nmodels: [" + ", ".join(models) + "]\n"
        (self.folder / "llm-deploy.yaml").write_text(config)
        return run(["run"], self.environment, self.folder)

    def stages(self):
        report = json.loads((self.folder / "report" / "report.json").read_text())
        return {stage["name"]: stage["duration"] for stage in report["models"][0]["stages"]}

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self


def main():
    print(f"binary                    {BINARY.stat().st_size / 2**20:.1f} MiB")
    starts = sorted(run(["--version"]) for _ in range(30))
    print(f"--version                 {statistics.median(starts) * 1000:.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        took = run(["demo"], cwd=folder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"demo                      {took:.1f} s, peak memory {peak:.0f} MiB")
    with tempfile.TemporaryDirectory() as folder, Emulator(folder, 0) as emulator:
        emulator.deploy(["Qwen/Qwen3.5-4B"])
        log = pathlib.Path(folder) / "requests.jsonl"
        before = len(log.read_text().splitlines())
        walls, own = [], []
        for _ in range(11):
            walls.append(emulator.deploy(["Qwen/Qwen3.5-4B"]))
            own.append(walls[-1] - emulator.stages()["smoke"])
        requests = [json.loads(line) for line in log.read_text().splitlines()[before:]]
        # Asking what one may do is a POST that changes nothing.
        writes = [r for r in requests if r["method"] != "GET" and not r.get("id", "").endswith("testIamPermissions")
                  and r["service"] not in ("iamcredentials", "sts", "github")]
        print(f"run on an unchanged tree  {statistics.median(walls) * 1000:.0f} ms, of it {statistics.median(own) * 1000:.0f} ms without the smoke "
              f"checks; {len(requests) // 11} requests each, {len(writes)} writes to Google")
    three = ["Qwen/Qwen3-0.6B", "Qwen/Qwen3.5-4B", "Qwen/Qwen3-8B"]
    alone = []
    for model in three:
        with tempfile.TemporaryDirectory() as folder, Emulator(folder, 1) as emulator:
            alone.append(emulator.deploy([model]))
    with tempfile.TemporaryDirectory() as folder, Emulator(folder, 1) as emulator:
        together = emulator.deploy(three)
    print(f"three models              {together:.1f} s together; alone {', '.join(f'{t:.1f} s' for t in alone)}: "
          f"{together / max(alone):.2f} times the slowest")


main()
