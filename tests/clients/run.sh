#!/usr/bin/env bash
# Google's own clients read what the emulator holds after `llm-deploy deploy`: google-api-python-client by static
# discovery, and gcloud where it is installed.
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
if ! "$python" -c 'import googleapiclient' 2>/dev/null; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install -q --disable-pip-version-check google-api-python-client==2.202.0
fi

binary=$(built_binary "$root")
binary=$(realpath "$binary")
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

emulator_start "$binary" "$work" --pace 0 --ttft-ms 5 --gap-ms 1
# Neither a workflow of our own nor anybody's settings have a say in the run under test.
for name in $(compgen -e | grep -E '^(GITHUB_|ACTIONS_|LLM_DEPLOY_|CLOUDSDK_|GOOGLE_|HF_)' || true); do
  unset "$name"
done
set -a
# shellcheck source=/dev/null
. "$work/env.sh"
set +a
region=europe-west4
provider=projects/481516234200/locations/global/workloadIdentityPools/github/providers/github

echo "--- llm-deploy deploy"
(
  cd "$work"
  unset CLOUDSDK_AUTH_ACCESS_TOKEN # so that it signs in as a workflow does
  timeout 300 "$binary" deploy --project "$CLOUDSDK_CORE_PROJECT" --region "$region" --model Qwen/Qwen3.5-4B \
    --workload-identity-provider "$provider" \
    --service-account "llm-deployer@$CLOUDSDK_CORE_PROJECT.iam.gserviceaccount.com"
)

echo "--- google-api-python-client"
timeout 300 "$python" "$here/google_clients.py" qwen3-5-4b "$region"

echo "--- gcloud"
if command -v gcloud >/dev/null 2>&1; then
  timeout 300 "$python" "$here/gcloud.py" "$region"
else
  echo "SKIPPED: there is no gcloud on this machine; what it would read was read by google-api-python-client alone"
fi
