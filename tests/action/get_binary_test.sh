#!/usr/bin/env bash
# What scripts/get-binary.sh promises the action.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/action" "$work/cargo"
for tool in awk bash dirname env tr; do
  ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
touch "$work/action/Cargo.lock"
broken=0

# A cargo that notes how it was called and with which environment, and ends with $CARGO_STATUS.
cat >"$work/cargo/cargo" <<C
#!$(command -v bash)
$(command -v env) -0 >>"$work/environment"
# What starts it had none of it either.
tr '\\0' '\\n' <"/proc/\$PPID/environ" >>"$work/parent" 2>/dev/null
[ "\$1" = --version ] && { echo "cargo 1.0.0"; exit 0; }
echo "\$PWD \$*" >"$work/called"
exit "\${CARGO_STATUS:-0}"
C
chmod +x "$work/cargo/cargo"
printf '#!/bin/sh\n' >"$work/llm-deploy"

# get NAME=VALUE…: runs the script with these variables only; its status, log and output are left in files.
get() {
  rm -f "$work/output" "$work/called" "$work/environment" "$work/parent"
  status=0
  env -i PATH="$work/bin" GITHUB_OUTPUT="$work/output" GITHUB_ACTION_PATH="$work/action" "$@" \
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
# What a build needs, and what a job has besides.
needed=(HOME=/h CARGO_HOME=/c CARGO_HTTP_PROXY=p RUSTUP_TOOLCHAIN=stable https_proxy=x HTTPS_PROXY=x http_proxy=x
  HTTP_PROXY=x all_proxy=x ALL_PROXY=x no_proxy=x NO_PROXY=x SSL_CERT_FILE=f SSL_CERT_DIR=d CURL_CA_BUNDLE=b
  GIT_SSL_CAINFO=i GIT_SSL_CAPATH=p)
others=(GITHUB_TOKEN=S3CRET ACTIONS_ID_TOKEN_REQUEST_TOKEN=S3CRET ACTIONS_ID_TOKEN_REQUEST_URL=S3CRET
  ACTIONS_RUNTIME_TOKEN=S3CRET CLOUDSDK_AUTH_ACCESS_TOKEN=S3CRET GOOGLE_APPLICATION_CREDENTIALS=S3CRET
  "INPUT_HF-TOKEN=S3CRET" "with.dot=S3CRET" "BASH_FUNC_f%%=() { echo S3CRET; }" HF_TOKEN=S3CRET RUSTC_WRAPPER=S3CRET
  XCARGO_HOME=S3CRET "MY_TOKEN=two
S3CRET=lines" LLM_DEPLOY_WEBHOOK_URL=S3CRET)
get PATH="$work/bin:$work/cargo" "${needed[@]}" "${others[@]}"
promise "the build runs with a full environment" gave "$work/action/target/dist/llm-deploy"
# shellcheck disable=SC2329
without_secrets() { [ -s "$work/parent" ] && ! grep -q S3CRET "$work/environment" "$work/parent"; }
promise "no call of cargo gets anything else of the job's" without_secrets
# shellcheck disable=SC2329
keeps_all() {
  local one
  for one in "PATH=$work/bin:$work/cargo" "${needed[@]}"; do
    # Both calls of cargo.
    [ "$(tr '\0' '\n' <"$work/environment" | grep -Fxc "$one")" -eq 2 ] || { echo "not there twice: $one"; return 1; }
  done
}
promise "cargo keeps its own settings, proxies and certificates" keeps_all
# shellcheck disable=SC2329
nothing_else() {
  [ "$(tr '\0' '\n' <"$work/environment" | grep -cvE '^(PWD|SHLVL|_|OLDPWD)=')" -eq $((2 * (${#needed[@]} + 1))) ]
}
promise "and nothing but them" nothing_else
rm "$work/bin/awk"
get PATH="$work/bin:$work/cargo" "${others[@]}"
promise "without a list of the environment nothing is built" refused "takes awk"
ln -s "$(command -v awk)" "$work/bin/awk"
get PATH="$work/bin:$work/cargo" CARGO_STATUS=101
promise "a failed build is an error" refused "could not build"
rm "$work/action/Cargo.lock"
get PATH="$work/bin:$work/cargo"
promise "an incomplete checkout is an error" refused "no Cargo.lock"

exit "$broken"
