#!/usr/bin/env bash
# Serves the tiny model with real vLLM in the container's stead: the port from PORT, the container's arguments after
# the ones here, so that those win.
#
# usage: VLLM_DIR=… PORT=… serve.sh [vLLM flags]
set -euo pipefail

dir=${VLLM_DIR:?}
unset VLLM_DIR # vLLM warns of variables under its prefix that it does not know
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_CPU_KVCACHE_SPACE=1
exec "$dir/venv/bin/vllm" serve "$dir/model" \
  --served-model-name "${SERVED_MODEL_NAME:-Qwen/Qwen3.5-4B}" \
  --dtype bfloat16 --max-model-len 4096 "$@" --host 127.0.0.1 --port "${PORT:?}"
