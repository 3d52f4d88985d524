#!/usr/bin/env bash
# Holds every request that runs make to GitHub, and every answer of the emulated one, against GitHub's own OpenAPI
# description (npm @octokit/openapi), and GraphQL against its schema (npm @octokit/graphql-schema).
#
# usage: run.sh PYTHON_DIR TOOLS_DIR     PYTHON_DIR: a virtual environment, into which jsonschema is installed when it is
#                                        missing; TOOLS_DIR: gets the description
#        LLM_DEPLOY_BINARY=…             tests that binary instead of a debug build
#        OPENAPI_DESCRIPTION=…           that api.github.com.json instead of the package's
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$1/bin/python
tools=$2
version=23.0.2
schema_version=15.26.1
# shellcheck source=tests/lib/emulator.sh
. "$root/tests/lib/emulator.sh"

mkdir -p "$tools"
description=${OPENAPI_DESCRIPTION:-$tools/api.github.com-$version.json}
if [ ! -s "$description" ]; then
  (cd "$tools" && npm pack --silent "@octokit/openapi@$version" >/dev/null)
  tar -xzf "$tools/octokit-openapi-$version.tgz" -O package/generated/api.github.com.json >"$description.part"
  mv "$description.part" "$description"
  rm -f "$tools/octokit-openapi-$version.tgz"
fi
schema=$tools/schema-$schema_version.graphql
if [ ! -s "$schema" ]; then
  (cd "$tools" && npm pack --silent "@octokit/graphql-schema@$schema_version" >/dev/null)
  tar -xzf "$tools/octokit-graphql-schema-$schema_version.tgz" -O package/schema.graphql >"$schema.part"
  mv "$schema.part" "$schema"
  rm -f "$tools/octokit-graphql-schema-$schema_version.tgz"
fi
"$python" -c 'import graphql, jsonschema, referencing' 2>/dev/null ||
  "$python" -m pip install -q graphql-core==3.3.2 jsonschema==4.26.0

"$python" "$here/self_check.py" "$description" "$schema"

binary=$(realpath "$(built_binary "$root")")
work=$(mktemp -d)
proxy=
finish() {
  [ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true
  emulator_stop
  rm -rf "$work"
}
trap finish EXIT

emulator_start "$binary" "$work" --pace 0 --ttft-ms 2 --gap-ms 0 --permit checks=write
# shellcheck source=/dev/null
. "$work/env.sh"
"$python" "$here/proxy.py" "$description" "$schema" "$GITHUB_API_URL" "$work/proxy-port" "$work/exchanges.jsonl" &
proxy=$!
for _ in $(seq 300); do
  [ -s "$work/proxy-port" ] && break
  kill -0 "$proxy" 2>/dev/null || { echo "the proxy ended"; exit 1; }
  sleep 0.1
done
GITHUB_API_URL=http://127.0.0.1:$(<"$work/proxy-port")
export GITHUB_API_URL

configure() {
  printf 'project: %s\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n%s\n' "$GOOGLE_CLOUD_PROJECT" "$1" \
    >"$work/llm-deploy.yaml"
}

run_id=40
# run EXPECTED EVENT PAYLOAD: one run as the runner starts it, which must end with that exit code.
run() {
  local status=0
  run_id=$((run_id + 1))
  printf '%s' "$3" >"$work/event.json"
  (
    cd "$work"
    export GITHUB_ACTIONS=true GITHUB_EVENT_NAME=$2 GITHUB_EVENT_PATH=$work/event.json GITHUB_RUN_ID=$run_id
    export GITHUB_REPOSITORY=octo-org/llm-endpoint GITHUB_REF=refs/heads/main GITHUB_REF_NAME=main
    export GITHUB_SHA=0123456789abcdef0123456789abcdef01234567 GITHUB_SERVER_URL=https://github.com
    export GITHUB_WORKSPACE=$work LLM_DEPLOY_REPORT_DIR=$work/report
    export LLM_DEPLOY_SERVICE_ACCOUNT=llm-deployer@$GOOGLE_CLOUD_PROJECT.iam.gserviceaccount.com
    exec "$binary" run
  ) >"$work/run.log" 2>&1 || status=$?
  echo "run $run_id, $2: ended with $status"
  if [ "$status" -ne "$1" ]; then
    cat "$work/run.log"
    echo "expected $1"
    exit 1
  fi
}

pull_request() {
  sed -e "s/@SHA@/abcdef0123456789abcdef0123456789abcdef01/" -e "s/\"action\": \"opened\"/\"action\": \"$1\"/" \
    "$root/tests/act/pull_request.json"
}
repository='"repository": {"id": 600000001, "full_name": "octo-org/llm-endpoint", "default_branch": "main"}'
push="{\"ref\": \"refs/heads/main\", \"after\": \"0123456789abcdef0123456789abcdef01234567\", $repository}"
schedule="{\"schedule\": \"17 6 * * *\", $repository}"
short='requests: 4, concurrency: [1], max-tokens: 4'

configure "latency: { $short }"
run 0 pull_request "$(pull_request opened)"
run 0 pull_request "$(pull_request synchronize)"
configure "latency: { $short, objectives: { ttft-p95: 0.01ms } }"
run 1 pull_request "$(pull_request synchronize)"
configure "latency: { $short }"
run 0 push "$push"
# A deployment that claims to be a newer run's: GitHub is asked about it.
claim="\"llm-deploy-run\": \"99-0\", \"server\": \"https://github.com\", \"repository-id\": 600000001"
claim="{$claim, \"images\": {\"$GOOGLE_CLOUD_PROJECT/europe-west4/qwen3-5-4b\": \"key\"}}"
request="{\"ref\": \"main\", \"auto_merge\": false, \"required_contexts\": [], \"payload\": $claim}"
curl -fsS -H "authorization: Bearer $GITHUB_TOKEN" -H "content-type: application/json" -d "$request" \
  "$GITHUB_API_URL/repos/octo-org/llm-endpoint/deployments" >/dev/null
run 0 push "$push"
run 0 schedule "$schedule"
# Twice failing, then well again.
configure "latency: { $short, objectives: { ttft-p95: 0.01ms } }"
run 1 schedule "$schedule"
run 1 schedule "$schedule"
configure "latency: { $short }"
run 0 schedule "$schedule"
run 0 pull_request "$(pull_request closed)"

"$python" "$here/judge.py" "$work/exchanges.jsonl"
