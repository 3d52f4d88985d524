#!/usr/bin/env bash
# What scripts/get-binary.sh promises the action.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/action" "$work/cargo"
for tool in bash dirname env; do
  ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
touch "$work/action/Cargo.lock"
broken=0

# A cargo that notes how it was called, and ends with $CARGO_STATUS.
cat >"$work/cargo/cargo" <<'C'
#!/usr/bin/env bash
[ "$1" = --version ] && { echo "cargo 1.0.0"; exit 0; }
echo "$PWD $*" >"$CALLED"
exit "${CARGO_STATUS:-0}"
C
chmod +x "$work/cargo/cargo"
printf '#!/bin/sh\n' >"$work/llm-deploy"

# get NAME=VALUE…: runs the script with these variables only; its status, log and output are left in files.
get() {
  rm -f "$work/output" "$work/called"
  status=0
  env -i PATH="$work/bin" GITHUB_OUTPUT="$work/output" GITHUB_ACTION_PATH="$work/action" CALLED="$work/called" "$@" \
    "$root/scripts/get-binary.sh" >"$work/log" 2>&1 || status=$?
}

promise() {
  local text=$1
  shift
  if "$@"; then
    echo "ok      $text"
  else
    echo "BROKEN  $text (status $status)"
    cat "$work/log"
    broken=1
  fi
}

# Called through `promise`.
# shellcheck disable=SC2329
gave() { [ "$status" -eq 0 ] && [ "$(<"$work/output")" = "path=$1" ]; }
# shellcheck disable=SC2329
refused() { [ "$status" -ne 0 ] && [ ! -s "$work/output" ] && grep -q "^::error .*$1" "$work/log"; }

get LLM_DEPLOY_BINARY="$work/llm-deploy"
promise "a file that can't be run is refused" refused "names no executable file"
chmod +x "$work/llm-deploy"
get LLM_DEPLOY_BINARY="$work/llm-deploy"
promise "LLM_DEPLOY_BINARY is taken as it is" gave "$work/llm-deploy"
get LLM_DEPLOY_BINARY=
promise "without cargo it says how to get on" refused "no cargo"
get PATH="$work/bin:$work/cargo"
promise "otherwise the action's own folder is built" gave "$work/action/target/dist/llm-deploy"
promise "the build is locked and as shipped" grep -q "^$work/action build --profile dist --locked" "$work/called"
promise "the build has no demo and no emulator" grep -q -- " --package llm-deploy --no-default-features " "$work/called"
get PATH="$work/bin:$work/cargo" CARGO_STATUS=101
promise "a failed build is an error" refused "could not build"
rm "$work/action/Cargo.lock"
get PATH="$work/bin:$work/cargo"
promise "an incomplete checkout is an error" refused "no Cargo.lock"

exit "$broken"
