#!/usr/bin/env bash
# The whole job with real vLLM behind the emulated Cloud Run: deploy, probe, smoke test, measure, comment.
# Not part of `cargo test`: it downloads some 6 GB the first time, and takes some minutes.
#
# usage: run.sh
#   VLLM_DIR            where vLLM and the tiny model are, or are to be put (default: a folder in the user's cache)
#   OUT_DIR             where the report goes (default: a temporary folder)
#   LLM_DEPLOY_BINARY   binary to test (default: a release build)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export VLLM_DIR=${VLLM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-deploy-e2e}

"$here/install.sh" "$VLLM_DIR"

binary=${LLM_DEPLOY_BINARY:-}
if [ -z "$binary" ]; then
  (cd "$root" && cargo build --release --locked --bin llm-deploy)
  binary=${CARGO_TARGET_DIR:-$root/target}/release/llm-deploy
fi

if [ -n "${OUT_DIR:-}" ]; then
  out=$OUT_DIR
  mkdir -p "$out"
else
  out=$(mktemp -d)
fi

# vLLM's first start compiles kernels: it can take two minutes on two cores.
# The emulator adds the container's arguments to the command.
status=0
timeout 1200 "$binary" demo --serve "VLLM_DIR='$VLLM_DIR' exec '$here/serve.sh'" --out "$out" || status=$?
if [ "$status" -ne 0 ]; then
  echo "demo ended with $status; the report, as far as there is one, is in $out"
  exit 1
fi

python3 "$here/check.py" "$out"
echo "--- $out/comment.md"
cat "$out/comment.md"
