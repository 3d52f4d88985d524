#!/usr/bin/env bash
# The program with the features of the action's build: without demo, emulator and tokenizers. Built with the profile
# `release`, which is quicker than the action's `dist`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

most_crates=245
lean=(--locked --package llm-deploy --no-default-features)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

fail() {
  echo "$1"
  exit 1
}

crates=$(cargo tree "${lean[@]}" --edges normal,build --target x86_64-unknown-linux-gnu --prefix none | sed 's/ (\*)$//' | sort -u)
count=$(wc -l <<<"$crates")
echo "$count crates, at most $most_crates"
[ "$count" -le "$most_crates" ] || fail "that is too many"
for gone in llm-deploy-emulator llm-deploy-bench-selftest axum tokenizers; do
  ! grep -q "^$gone " <<<"$crates" || fail "the action's build has $gone"
done

cargo build --release "${lean[@]}" 2>&1 | tee "$work/build"
! grep -q '^warning' "$work/build" || fail "the build has warnings"
program=$(realpath "${CARGO_TARGET_DIR:-target}/release/llm-deploy")

help=$("$program" --help)
! grep -iE 'demo|emulator' <<<"$help" || fail "--help has what this build lacks"
status=0
"$program" demo 2>/dev/null || status=$?
[ "$status" -eq 2 ] || fail "\`demo\` ends with $status instead of 2"

# A server that does not count tokens: a tokenizer is needed, and this build has none.
python3 -u -m http.server --bind 127.0.0.1 --directory "$work" 0 >"$work/server" 2>/dev/null &
server=$!
for _ in $(seq 100); do
  port=$(sed -nE 's/.* port ([0-9]+) .*/\1/p' "$work/server")
  [ -z "$port" ] || break
  sleep 0.1
done
status=0
"$program" bench --url "http://127.0.0.1:$port" --model m --input-tokens 8 --tokenizer "$work/tokenizer.json" \
  >"$work/bench" 2>&1 || status=$?
if [ "$status" -ne 2 ] || ! grep -q 'this build of llm-deploy has no tokenizers' "$work/bench"; then
  fail "\`bench --tokenizer\` ends with $status: $(cat "$work/bench")"
fi
echo "ok -- the action's build"
