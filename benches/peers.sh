#!/usr/bin/env bash
# Runs guidellm, aiperf and (when it exists) `vllm bench serve` beside `llm-deploy bench` on the known-timing server.
#
# usage: benches/peers.sh BINARY SELFTEST [DIR]     llm-deploy, bench-selftest; DIR (target/peers) gets the peers, their
# logs and results
# environment:
#   GUIDELLM, AIPERF, VLLM   their programs; guidellm and aiperf are installed from PyPI into DIR when not given
#   TOKENIZER                folder or Hugging Face id (openai-community/gpt2) with which they make prompts
#   CONCURRENCY (1,16,64,256), REQUESTS (300; a tenth of them with one stream), TOKENS (64)
#   TTFT_MS (50), GAP_MS (10), SPREAD_MS (5)
set -euo pipefail
usage='usage: benches/peers.sh BINARY SELFTEST [DIR]'
binary=$(realpath "${1:?$usage}")
selftest=$(realpath "${2:?$usage}")
here=$(cd "$(dirname "$0")" && pwd)
dir=${3:-target/peers}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

install() { # NAME REQUIREMENT
  if [ ! -x "$dir/$1/bin/python" ]; then
    python3 -m venv "$dir/$1"
    "$dir/$1/bin/pip" install --quiet "$2"
  fi
}

if [ -z "${GUIDELLM:-}" ]; then
  install guidellm 'guidellm==0.8.1'
  GUIDELLM=$dir/guidellm/bin/guidellm
fi
if [ -z "${AIPERF:-}" ]; then
  install aiperf 'aiperf==0.13.0'
  AIPERF=$dir/aiperf/bin/aiperf
fi
install psutil 'psutil==7.1.3'
export GUIDELLM AIPERF
exec "$dir/psutil/bin/python" "$here/peers.py" "$binary" "$selftest" "$dir/out"
