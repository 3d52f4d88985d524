#!/usr/bin/env bash
# Opens the HTML reports in a real browser, without a network: those of every state that the snapshot tests know, and
# those that `llm-deploy demo` writes.
# usage: run.sh [TOOLS_DIR]     (npm packages go to TOOLS_DIR; nothing is written into the repository)
#
# CHROMIUM names the browser; LLM_DEPLOY the program (else it is built); SCREENSHOTS a folder for pictures of each page.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-deploy-ci/browser}

browser() {
  local name
  for name in ${CHROMIUM:+"$CHROMIUM"} chromium chromium-browser google-chrome; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

if ! browser >/dev/null; then
  echo "no chromium here, installing Debian's"
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-noto-color-emoji fonts-dejavu-core; }; then
    echo "the reports can't be tested: there is no chromium, and apt-get can't install it. Install it, or set CHROMIUM to a Chromium or Chrome" >&2
    exit 1
  fi
fi
CHROMIUM=$(browser) || { echo "the reports can't be tested: chromium was installed and is not found in PATH" >&2; exit 1; }
export CHROMIUM

mkdir -p "$tools"
cp "$here"/*.mjs "$here/package.json" "$tools/"
(cd "$tools" && npm install --silent --no-audit --no-fund)

if [ -z "${LLM_DEPLOY:-}" ]; then
  # The program as the tests build it: after them there is nothing left to build.
  (cd "$root" && cargo test --locked --quiet --test cli --no-run)
  LLM_DEPLOY=${CARGO_TARGET_DIR:-$root/target}/debug/llm-deploy
fi
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
for event in push pull_request closed schedule; do
  "$LLM_DEPLOY" demo --event "$event" --out "$pages/$event" >"$pages/$event.log" 2>&1 ||
    { echo "llm-deploy demo --event $event failed:" >&2; tail -n 40 "$pages/$event.log" >&2; exit 1; }
done

node "$tools/check.mjs" "$root" "$pages"
