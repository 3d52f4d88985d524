#!/usr/bin/env python3
"""Reads builds, a build's log and the repository with gcloud, which the environment points at the emulator.

usage: gcloud.py PROJECT [BUILD_LOCATION] [REGION]     (exits 1 and says why when something is not as promised)
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import storage_front

PROJECT = sys.argv[1]
BUILDS = sys.argv[2] if len(sys.argv) > 2 else "global"
REGION = sys.argv[3] if len(sys.argv) > 3 else "europe-west4"


def gcloud(*arguments: str, **variables: str) -> str:
    command = ["gcloud", *arguments, f"--project={PROJECT}"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def promise(text: str, kept: bool, seen: object) -> None:
    if not kept:
        sys.exit(f"BROKEN  {text}: {str(seen)[:2000]}")
    print(f"ok      {text}")


def check_builds() -> None:
    region = f"--region={BUILDS}"
    builds = json.loads(gcloud("builds", "list", region, "--format=json"))
    succeeded = [build for build in builds if build.get("status") == "SUCCESS"]
    promise("`gcloud builds list` has the build, with success", len(succeeded) == 1, builds)
    build = succeeded[0]["id"]

    described = json.loads(gcloud("builds", "describe", build, region, "--format=json"))
    promise("`gcloud builds describe` has the same build", described.get("id") == build, described)
    digests = [image.get("digest", "") for image in described.get("results", {}).get("images", [])]
    promise("its result is an image with a digest", any(d.startswith("sha256:") for d in digests), described)

    with tempfile.TemporaryDirectory() as directory:
        front = storage_front.start(pathlib.Path(directory))
        log = gcloud("builds", "log", build, region, **front)
    promise("`gcloud builds log` has the build's log", build in log and "DONE" in log, log)


def check_repository() -> None:
    location = f"--location={REGION}"
    answer = gcloud("artifacts", "repositories", "describe", "llm-deploy", location, "--format=json")
    repository = json.loads(answer)
    docker = repository.get("format") == "DOCKER"
    promise("`gcloud artifacts repositories describe` has a Docker repository", docker, repository)
    actions = {policy.get("action") for policy in repository.get("cleanupPolicies", {}).values()}
    promise("it has a cleanup policy that keeps and one that deletes", actions == {"KEEP", "DELETE"}, repository)


check_builds()
check_repository()
