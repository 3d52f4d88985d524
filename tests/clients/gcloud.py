#!/usr/bin/env python3
"""Reads builds, a build's log and the repository with gcloud, which the emulator's env file points at the emulator.

usage: gcloud.py REGION     (with the variables of the env file; exits 1 and says why when a promise is broken)
"""

import json
import os
import subprocess
import sys
import tempfile

REGION = sys.argv[1]


def gcloud(*arguments: str) -> str:
    with tempfile.TemporaryDirectory() as configuration:
        environment = {**os.environ, "CLOUDSDK_CONFIG": configuration}
        # This one wins over gcloud's own setting, which names the emulator's certificate.
        environment.pop("REQUESTS_CA_BUNDLE", None)
        command = ["gcloud", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def promise(text: str, kept: bool, seen: object) -> None:
    if not kept:
        sys.exit(f"BROKEN  {text}: {str(seen)[:2000]}")
    print(f"ok      {text}")


def check_builds() -> None:
    region = "--region=global"
    builds = json.loads(gcloud("builds", "list", region, "--format=json"))
    succeeded = [build for build in builds if build.get("status") == "SUCCESS"]
    promise("`gcloud builds list` has the build, with success", len(succeeded) == 1, builds)
    build = succeeded[0]["id"]

    described = json.loads(gcloud("builds", "describe", build, region, "--format=json"))
    promise("`gcloud builds describe` has the same build", described.get("id") == build, described)
    digests = [image.get("digest", "") for image in described.get("results", {}).get("images", [])]
    promise("its result is an image with a digest", any(d.startswith("sha256:") for d in digests), described)

    # gcloud reads logs at a fixed address, https://storage.googleapis.com: the emulator is its proxy for that.
    log = gcloud("builds", "log", build, region)
    promise("`gcloud builds log` has the build's log, to its end", build in log and "DONE" in log, log)


def check_repository() -> None:
    location = f"--location={REGION}"
    repositories = json.loads(gcloud("artifacts", "repositories", "list", location, "--format=json"))
    listed = [repository["name"].split("/")[-1] for repository in repositories]
    promise("`gcloud artifacts repositories list` has the repository", listed == ["llm-deploy"], repositories)
    repository = json.loads(gcloud("artifacts", "repositories", "describe", "llm-deploy", location, "--format=json"))
    promise("`gcloud artifacts repositories describe` has a Docker one", repository.get("format") == "DOCKER", repository)
    actions = {policy.get("action") for policy in repository.get("cleanupPolicies", {}).values()}
    promise("it has a cleanup policy that keeps and one that deletes", actions == {"KEEP", "DELETE"}, repository)


check_builds()
check_repository()
