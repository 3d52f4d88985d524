#!/usr/bin/env bash
# Google's own clients read what the emulator holds after a deployment: google-api-python-client by static discovery,
# and gcloud where it is installed.
#
# usage: run.sh [TOOLS_DIR]     google-api-python-client is installed into the virtual environment TOOLS_DIR
#        LLM_DEPLOY_BINARY=…    tests that binary instead of a debug build
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-deploy-ci/clients}
# shellcheck source=tests/lib/emulator.sh
. "$root/tests/lib/emulator.sh"

python=$tools/bin/python
if ! "$python" -c 'import googleapiclient, trustme' 2>/dev/null; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install -q --disable-pip-version-check google-api-python-client==2.202.0 trustme==1.2.1
fi

binary=$(realpath "$(built_binary "$root")")
work=$(mktemp -d)
finish() {
  local status=$?
  emulator_stop
  if [ "$status" -ne 0 ] && [ -f "$work/emulator.log" ]; then
    echo "--- the emulator's log"
    tail -n 50 "$work/emulator.log"
  fi
  rm -rf "$work"
}
trap finish EXIT

emulator_start "$binary" "$work"
set -a
# shellcheck source=/dev/null
. "$work/env.sh"
set +a
project=${GOOGLE_CLOUD_PROJECT:-${CLOUDSDK_CORE_PROJECT:?the env file names no project}}
export LLM_DEPLOY_EMULATED_PROJECT=$project

# Inside a workflow of our own, the run under test must not write that job's outputs and summary.
unset GITHUB_ACTIONS GITHUB_OUTPUT GITHUB_STEP_SUMMARY GITHUB_ENV GITHUB_PATH

# A push to the default branch, as the runner would present it.
cat >"$work/event.json" <<'J'
{
  "ref": "refs/heads/main",
  "before": "0000000000000000000000000000000000000001",
  "after": "1111111111111111111111111111111111111111",
  "repository": {
    "id": 600000001,
    "full_name": "octo-org/llm-app",
    "default_branch": "main",
    "html_url": "https://github.com/octo-org/llm-app",
    "owner": { "login": "octo-org", "id": 900001 }
  },
  "sender": { "login": "octocat", "id": 583231 }
}
J
cat >"$work/llm-deploy.yaml" <<Y
project: $project
region: europe-west4
model: Qwen/Qwen3.5-4B
Y
(
  cd "$work"
  export GITHUB_EVENT_NAME=push GITHUB_EVENT_PATH=$work/event.json GITHUB_REPOSITORY=octo-org/llm-app \
    GITHUB_REF=refs/heads/main GITHUB_REF_NAME=main GITHUB_ACTOR=octocat \
    GITHUB_SHA=1111111111111111111111111111111111111111 LLM_DEPLOY_GITHUB_TOKEN=${GITHUB_TOKEN:-emulated}
  timeout 300 "$binary" run
)

echo "--- google-api-python-client"
timeout 300 "$python" "$here/google_clients.py"

echo "--- gcloud"
if command -v gcloud >/dev/null 2>&1; then
  CLOUDSDK_CONFIG=$work/gcloud CLOUDSDK_CORE_DISABLE_PROMPTS=1 timeout 300 "$python" "$here/gcloud.py" "$project"
else
  echo "skipped: no gcloud on this machine"
fi
