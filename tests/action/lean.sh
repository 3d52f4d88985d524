#!/usr/bin/env bash
# The program as the action builds it: without demo, emulator and tokenizers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

most_crates=245
lean=(--locked --package llm-deploy --no-default-features)

crates=$(cargo tree "${lean[@]}" --edges normal,build --target x86_64-unknown-linux-gnu --prefix none | sed 's/ (\*)$//' | sort -u)
count=$(wc -l <<<"$crates")
echo "$count crates, at most $most_crates"
[ "$count" -le "$most_crates" ]
for gone in llm-deploy-emulator llm-deploy-bench-selftest axum tokenizers; do
  if grep -q "^$gone " <<<"$crates"; then
    echo "the action's build has $gone"
    exit 1
  fi
done

cargo clippy "${lean[@]}" --lib --bins -- -D warnings
tested=$(cargo test "${lean[@]}" --lib bench::input::tokenizer)
echo "$tested"
grep -q '^test result: ok. 1 passed' <<<"$tested"
cargo build "${lean[@]}"
program=${CARGO_TARGET_DIR:-target}/debug/llm-deploy
help=$("$program" --help)
if grep -iE 'demo|emulator' <<<"$help"; then
  echo "--help has what this build lacks"
  exit 1
fi
status=0
"$program" demo 2>/dev/null || status=$?
[ "$status" -eq 2 ] || { echo "\`demo\` ends with $status instead of 2"; exit 1; }
help=$("$program" bench --help)
grep -q -- --tokenizer <<<"$help" || { echo "bench lost --tokenizer, which says how to get it"; exit 1; }
echo "ok -- the action's build"
