#!/usr/bin/env python3
"""Reads builds and the repository with gcloud, which the environment points at the emulator.

usage: gcloud.py PROJECT [BUILD_LOCATION] [REGION]     (exits 1 and says why when something is not as promised)
"""

import json
import subprocess
import sys

PROJECT = sys.argv[1]
BUILDS = sys.argv[2] if len(sys.argv) > 2 else "global"
REGION = sys.argv[3] if len(sys.argv) > 3 else "europe-west4"


def gcloud(*arguments: str) -> str:
    command = ["gcloud", *arguments, f"--project={PROJECT}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def promise(text: str, kept: bool, seen: object) -> None:
    if not kept:
        sys.exit(f"BROKEN  {text}: {str(seen)[:2000]}")
    print(f"ok      {text}")


def main() -> None:
    region = f"--region={BUILDS}"
    builds = json.loads(gcloud("builds", "list", region, "--format=json"))
    succeeded = [b for b in builds if b.get("status") == "SUCCESS"]
    promise("`gcloud builds list` has the build, with success", len(succeeded) == 1, builds)
    build = succeeded[0]["id"]

    described = json.loads(gcloud("builds", "describe", build, region, "--format=json"))
    images = described.get("results", {}).get("images", [])
    promise("`gcloud builds describe` has the same build", described.get("id") == build, described)
    digests = [image.get("digest", "") for image in images]
    promise("its result is an image with a digest", any(d.startswith("sha256:") for d in digests), described)

    log = gcloud("builds", "log", build, region)
    promise("`gcloud builds log` has the build's log", "FETCHSOURCE" in log or "Step #0" in log, log)

    described = gcloud("artifacts", "repositories", "describe", "llm-deploy", f"--location={REGION}", "--format=json")
    repository = json.loads(described)
    promise("`gcloud artifacts repositories describe` has a Docker repository", repository.get("format") == "DOCKER", repository)
    policies = repository.get("cleanupPolicies", {})
    promise("it has a cleanup policy that keeps and one that deletes", {p.get("action") for p in policies.values()} == {"KEEP", "DELETE"}, policies)


main()
