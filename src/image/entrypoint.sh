#!/bin/sh
# Starts vLLM on the baked weights. Arguments go to `vllm serve`; Cloud Run gives the port.
set -eu

mkdir -p "${HOME:-/tmp/home}" "${XDG_CACHE_HOME:-/tmp/cache}" "${XDG_CONFIG_HOME:-/tmp/config}"

# exec: vLLM gets Cloud Run's SIGTERM itself.
exec vllm serve /model --host 0.0.0.0 --port "${PORT:-8080}" "$@"
