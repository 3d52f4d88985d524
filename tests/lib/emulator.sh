# shellcheck shell=bash
# Starts and stops `llm-deploy emulator` for a test. Source it; it sets EMULATOR_PID and EMULATOR_PORT.

# emulator_start BINARY DIR [further options]: returns once DIR/port and DIR/env.sh are there.
emulator_start() {
  local binary=$1 dir=$2 deadline=$((SECONDS + 30))
  shift 2
  rm -f "$dir/port" "$dir/env.sh"
  "$binary" emulator --port-file "$dir/port" --env-file "$dir/env.sh" "$@" >"$dir/emulator.log" 2>&1 &
  EMULATOR_PID=$!
  until [ -s "$dir/port" ] && [ -s "$dir/env.sh" ]; do
    if ! kill -0 "$EMULATOR_PID" 2>/dev/null; then
      echo "the emulator ended before it was ready:" >&2
      cat "$dir/emulator.log" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "the emulator was not ready within 30 s" >&2
      emulator_stop
      return 1
    fi
    sleep 0.1
  done
  EMULATOR_PORT=$(<"$dir/port")
  export EMULATOR_PORT
}

# emulator_stop: asks it to end, and ends it by force when it has not done so after 5 s.
emulator_stop() {
  [ -n "${EMULATOR_PID:-}" ] || return 0
  kill -TERM "$EMULATOR_PID" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$EMULATOR_PID" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$EMULATOR_PID" 2>/dev/null || true
  wait "$EMULATOR_PID" 2>/dev/null || true
  EMULATOR_PID=
}

# built_binary ROOT: path of the llm-deploy to test, LLM_DEPLOY_BINARY or a debug build.
built_binary() {
  if [ -n "${LLM_DEPLOY_BINARY:-}" ]; then
    printf '%s\n' "$LLM_DEPLOY_BINARY"
    return
  fi
  # `set -e` does not reach into a command substitution: without the return, an older binary would be tested.
  (cd "$1" && cargo build --quiet --locked --bin llm-deploy) >&2 || return 1
  printf '%s\n' "${CARGO_TARGET_DIR:-$1/target}/debug/llm-deploy"
}
