#!/usr/bin/env python3
"""Google's own clients read what the emulator holds.

Run it with the variables of `llm-deploy emulator --env-file F` (`. F`), with google-api-python-client
installed and gcloud on the PATH. It builds an image and deploys it, then reads everything back twice: with
google-api-python-client (anonymous, static discovery) and with gcloud.

usage: google_clients.py [--without-gcloud]
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build as discover

PROJECT = os.environ["CLOUDSDK_CORE_PROJECT"]
REGION = "europe-west4"
LOCATION = f"projects/{PROJECT}/locations/{REGION}"
BUCKET = f"{PROJECT}-clients"
REPOSITORY = "clients"
SERVICE = "clients"
IMAGE = f"{REGION}-docker.pkg.dev/{PROJECT}/{REPOSITORY}/stand-in"
DEADLINE_SECONDS = 60


def endpoint(api):
    return os.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}"]


def client(api, version, credentials=None):
    return discover(
        api,
        version,
        credentials=credentials or AnonymousCredentials(),
        client_options={"api_endpoint": endpoint(api)},
        static_discovery=True,
    )


def owner(api, version):
    return client(api, version, Credentials(os.environ["CLOUDSDK_AUTH_ACCESS_TOKEN"]))


def wait_for(what, look):
    """The first true value of `look`, or a failure after the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {DEADLINE_SECONDS} s")


def context():
    """A build context with nothing but a Dockerfile."""
    text = b"FROM vllm/vllm-openai:v0.11.0\n"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def upload(name, content):
    base = endpoint("storage").removesuffix("storage/v1/")
    request = urllib.request.Request(
        f"{base}upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}",
        data=content,
        headers={
            "Authorization": f"Bearer {os.environ['CLOUDSDK_AUTH_ACCESS_TOKEN']}",
            "Content-Type": "application/gzip",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["generation"]


def build_image():
    owner("storage", "v1").buckets().insert(project=PROJECT, body={"name": BUCKET, "location": REGION}).execute()
    repositories = owner("artifactregistry", "v1").projects().locations().repositories()
    repositories.create(parent=LOCATION, repositoryId=REPOSITORY, body={"format": "DOCKER"}).execute()
    generation = upload("context.tgz", context())
    body = {
        "source": {"storageSource": {"bucket": BUCKET, "object": "context.tgz", "generation": generation}},
        "steps": [{"name": "docker:27-cli", "args": ["build", "-t", f"{IMAGE}:one", "."]}],
        "images": [f"{IMAGE}:one"],
        "logsBucket": f"gs://{BUCKET}/logs",
        "options": {"logging": "GCS_ONLY"},
        "tags": ["clients"],
    }
    builds = owner("cloudbuild", "v1").projects().locations().builds()
    number = builds.create(parent=LOCATION, body=body).execute()["metadata"]["build"]["id"]

    def ended():
        found = builds.get(name=f"{LOCATION}/builds/{number}").execute()
        return found if found["status"] not in ("PENDING", "QUEUED", "WORKING") else None

    found = wait_for("the build", ended)
    assert found["status"] == "SUCCESS", found
    return number, found["results"]["images"][0]["digest"]


def deploy(digest):
    body = {
        "template": {
            "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
            "gpuZonalRedundancyDisabled": True,
            "nodeSelector": {"accelerator": "nvidia-l4"},
            "scaling": {"maxInstanceCount": 1},
            "containers": [
                {
                    "image": f"{IMAGE}@{digest}",
                    "args": ["--model", "org/model", "--served-model-name", "org/model"],
                    "ports": [{"containerPort": 8000}],
                    "resources": {"limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}, "cpuIdle": False},
                    "startupProbe": {
                        "httpGet": {"path": "/health", "port": 8000},
                        "periodSeconds": 1,
                        "failureThreshold": 30,
                    },
                }
            ],
        }
    }
    services = owner("run", "v2").projects().locations().services()
    services.create(parent=LOCATION, serviceId=SERVICE, body=body).execute()

    def ready():
        found = services.get(name=f"{LOCATION}/services/{SERVICE}").execute()
        state = found.get("terminalCondition", {}).get("state")
        assert state != "CONDITION_FAILED", found
        return found if state == "CONDITION_SUCCEEDED" and not found.get("reconciling") else None

    wait_for("the service", ready)
    policy = {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}
    services.setIamPolicy(resource=f"{LOCATION}/services/{SERVICE}", body={"policy": policy}).execute()


def names(answer, key):
    return [entry["name"] for entry in answer.get(key, [])]


def read_with_discovery(build_id, digest):
    run = client("run", "v2").projects().locations()
    name = f"{LOCATION}/services/{SERVICE}"
    assert name in names(run.services().list(parent=LOCATION).execute(), "services")
    service = run.services().get(name=name).execute()
    assert service["template"]["containers"][0]["image"].endswith(digest), service
    revision = service["latestReadyRevision"]
    if "/" not in revision:
        revision = f"{name}/revisions/{revision}"
    assert revision in names(run.services().revisions().list(parent=name).execute(), "revisions")
    assert run.services().revisions().get(name=revision).execute()["name"] == revision
    operations = run.operations().list(name=LOCATION).execute()["operations"]
    assert operations, "the creation's operation is listed"
    assert run.operations().get(name=operations[0]["name"]).execute()["done"]
    policy = run.services().getIamPolicy(resource=name).execute()
    assert policy["bindings"][0]["members"] == ["allUsers"], policy

    builds = client("cloudbuild", "v1").projects().locations().builds()
    assert build_id in [b["id"] for b in builds.list(parent=LOCATION).execute()["builds"]]
    assert builds.get(name=f"{LOCATION}/builds/{build_id}").execute()["status"] == "SUCCESS"

    registry = client("artifactregistry", "v1").projects().locations().repositories()
    repository = f"{LOCATION}/repositories/{REPOSITORY}"
    assert repository in names(registry.list(parent=LOCATION).execute(), "repositories")
    assert registry.get(name=repository).execute()["format"] == "DOCKER"
    assert "etag" in registry.getIamPolicy(resource=repository).execute()
    images = registry.dockerImages().list(parent=repository).execute()["dockerImages"]
    assert [i["uri"] for i in images] == [f"{IMAGE}@{digest}"], images
    tag = registry.packages().tags().get(name=f"{repository}/packages/stand-in/tags/one").execute()
    assert tag["version"].endswith(digest), tag

    storage = client("storage", "v1")
    listed = names(storage.objects().list(bucket=BUCKET).execute(), "items")
    assert listed == ["context.tgz", f"logs/log-{build_id}.txt"], listed
    assert storage.buckets().get(bucket=BUCKET).execute()["name"] == BUCKET
    log = storage.objects().get_media(bucket=BUCKET, object=listed[1]).execute()
    assert log, "the build's log is not empty"
    assert storage.buckets().getIamPolicy(bucket=BUCKET).execute()["bindings"]


def gcloud(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["gcloud", *arguments],
            env={**os.environ, "CLOUDSDK_CONFIG": folder},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, f"gcloud {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read_with_gcloud(build_id):
    here = ["--region", REGION]
    assert build_id in gcloud("builds", "list", *here)
    described = json.loads(gcloud("builds", "describe", build_id, *here, "--format", "json"))
    assert described["status"] == "SUCCESS", described
    log = gcloud("builds", "log", build_id, *here)
    assert "REMOTE BUILD OUTPUT" in log and len(log.splitlines()) > 2, log
    described = gcloud("artifacts", "repositories", "describe", REPOSITORY, "--location", REGION, "--format", "json")
    assert json.loads(described)["format"] == "DOCKER"
    assert REPOSITORY in gcloud("artifacts", "repositories", "list", "--location", REGION)


def main():
    build_id, digest = build_image()
    deploy(digest)
    read_with_discovery(build_id, digest)
    print("google-api-python-client reads services, revisions, operations, builds, repositories, policies, objects")
    if "--without-gcloud" not in sys.argv[1:]:
        read_with_gcloud(build_id)
        print("gcloud reads builds, their log, and repositories")


if __name__ == "__main__":
    main()
