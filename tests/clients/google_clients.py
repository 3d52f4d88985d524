#!/usr/bin/env python3
"""Reads with google-api-python-client (static discovery) what `llm-deploy deploy` left at the emulator.

usage: google_clients.py SERVICE REGION     (with the variables of the emulator's env file; exits 1 at a broken promise)
"""

import os
import sys

from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import InvalidOperation
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build as discover

OWNER = Credentials(os.environ["CLOUDSDK_AUTH_ACCESS_TOKEN"])
PROJECT = os.environ["CLOUDSDK_CORE_PROJECT"]
SERVICE, REGION = sys.argv[1:]
LOCATION = f"projects/{PROJECT}/locations/{REGION}"
BUILDS = f"projects/{PROJECT}/locations/global"
BUCKET = f"{PROJECT}-llm-deploy"
IMAGE = f"{REGION}-docker.pkg.dev/{PROJECT}/llm-deploy/{SERVICE}"


def client(api: str, version: str, credentials=OWNER):
    endpoint = os.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}"]
    options = {"api_endpoint": endpoint}
    return discover(api, version, credentials=credentials, client_options=options, static_discovery=True)


def promise(text: str, kept: bool, seen: object) -> None:
    if not kept:
        sys.exit(f"BROKEN  {text}: {str(seen)[:2000]}")
    print(f"ok      {text}")


def names(answer: dict, key: str) -> list[str]:
    return [entry["name"] for entry in answer.get(key, [])]


def check_run() -> str:
    """The image that serves, by digest."""
    run = client("run", "v2").projects().locations()
    name = f"{LOCATION}/services/{SERVICE}"
    listed = names(run.services().list(parent=LOCATION).execute(), "services")
    promise("Cloud Run lists the service, and no other", listed == [name], listed)
    service = run.services().get(name=name).execute()
    state = service.get("terminalCondition", {}).get("state")
    promise("it is ready", state == "CONDITION_SUCCEEDED" and not service.get("reconciling"), service)
    promise("it is marked as managed by llm-deploy", service.get("labels", {}).get("managed-by") == "llm-deploy", service)
    container = service["template"]["containers"][0]
    promise("it runs an image by digest", container["image"].startswith(f"{IMAGE}@sha256:"), container)
    gpu = service["template"]["nodeSelector"]["accelerator"], container["resources"]["limits"]["nvidia.com/gpu"]
    promise("it has one L4", gpu == ("nvidia-l4", "1"), service)

    ready = service["latestReadyRevision"]
    # A target without a revision is the latest one that is ready.
    served = [(t.get("revision", ready), t["percent"]) for t in service["trafficStatuses"] if t.get("percent")]
    promise("all traffic goes to the revision that is ready", served == [(ready, 100)], service)
    revisions = run.services().revisions()
    full = ready if "/" in ready else f"{name}/revisions/{ready}"
    promise("the revision is listed", full in names(revisions.list(parent=name).execute(), "revisions"), full)
    revision = revisions.get(name=full).execute()
    promise("the revision has the service's image", revision["containers"][0]["image"] == container["image"], revision)
    policy = run.services().getIamPolicy(resource=name).execute()
    promise("nobody but the project's own may call it", "allUsers" not in str(policy), policy)
    operations = run.operations().list(name=LOCATION).execute().get("operations", [])
    done = [run.operations().get(name=operation["name"]).execute().get("done") for operation in operations]
    promise("every operation is done", bool(done) and all(done), operations)
    return container["image"]


def check_build(image: str) -> str:
    """The build's id."""
    builds = client("cloudbuild", "v1").projects().locations().builds()
    listed = builds.list(parent=BUILDS).execute().get("builds", [])
    promise("Cloud Build lists one build", len(listed) == 1, listed)
    build = builds.get(name=f"{BUILDS}/builds/{listed[0]['id']}").execute()
    promise("it succeeded", build["status"] == "SUCCESS", build)
    digests = [result["digest"] for result in build["results"]["images"]]
    promise("its image is the one that runs", image.split("@")[1] in digests, build)
    return build["id"]


def check_registry(image: str) -> None:
    registry = client("artifactregistry", "v1").projects().locations().repositories()
    repository = f"{LOCATION}/repositories/llm-deploy"
    promise("the repository is listed", repository in names(registry.list(parent=LOCATION).execute(), "repositories"), "")
    found = registry.get(name=repository).execute()
    promise("it is one for Docker images", found["format"] == "DOCKER", found)
    images = [i["uri"] for i in registry.dockerImages().list(parent=repository).execute()["dockerImages"]]
    promise("it has the image that runs, and no other", images == [image], images)
    tags = registry.packages().tags().list(parent=f"{repository}/packages/{SERVICE}").execute()["tags"]
    promise("a tag names that digest", any(t["version"].endswith(image.split("@")[1]) for t in tags), tags)


def check_storage(build: str) -> None:
    storage = client("storage", "v1")
    bucket = storage.buckets().get(bucket=BUCKET).execute()
    promise("the bucket is closed to the public", bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced", bucket)
    objects = names(storage.objects().list(bucket=BUCKET).execute(), "items")
    promise("it has the build's source", any(o.startswith("source/") for o in objects), objects)
    logs = [o for o in objects if o.endswith(f"log-{build}.txt")]
    promise("it has the build's log", len(logs) == 1, objects)
    log = storage.objects().get_media(bucket=BUCKET, object=logs[0]).execute().decode()
    promise("the log is that build's, to its end", build in log and log.rstrip().endswith("DONE"), log)


def check_refusal() -> None:
    name = f"{LOCATION}/services/{SERVICE}"
    anonymous = client("run", "v2", AnonymousCredentials()).projects().locations().services()
    for verb in ("get", "delete"):
        refused = False
        try:
            getattr(anonymous, verb)(name=name).execute()
        except InvalidOperation:  # a 401, upon which the client wants to refresh what is no credential
            refused = True
        promise(f"an anonymous {verb} is refused", refused, name)
    services = client("run", "v2").projects().locations().services()
    promise("and deletes nothing", services.get(name=name).execute()["name"] == name, name)


running = check_run()
check_storage(build=check_build(running))
check_registry(running)
check_refusal()
