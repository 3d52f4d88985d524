#!/usr/bin/env bash
# Finds llm-deploy for the action and writes its path to the step's output `path`.
#
# LLM_DEPLOY_BINARY, when set, is taken as it is; otherwise the action's own folder is built.
set -euo pipefail

fail() {
  echo "::error title=llm-deploy is not there::$1"
  exit 1
}

give() {
  if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf 'path=%s\n' "$1" >>"$GITHUB_OUTPUT"
  fi
  printf 'llm-deploy: %s\n' "$1"
}

# start_clean ARGUMENTS…: starts this script again with nothing of the job's environment but what a build needs. The job has
# tokens, such as the one that signs in to Google, and a build runs code of some hundred packages. In this process's place:
# what a build starts could read the environment of the processes above it.
start_clean() {
  local name drop=()
  while IFS= read -r name; do
    case $name in
      PATH | HOME | CARGO_* | RUSTUP_*) ;;
      http_proxy | https_proxy | all_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | ALL_PROXY | NO_PROXY) ;;
      SSL_CERT_FILE | SSL_CERT_DIR | CURL_CA_BUNDLE | GIT_SSL_CAINFO | GIT_SSL_CAPATH) ;;
      *) drop+=(-u "$name") ;;
    esac
  # Names alone: a value among the arguments could be read by every process.
  done < <(awk 'BEGIN { for (name in ENVIRON) print name }')
  [ "${#drop[@]}" -gt 0 ] || fail "The job's environment could not be listed, which takes awk; llm-deploy is not built with all of it."
  exec env "${drop[@]}" "${BASH_SOURCE[0]}" "$@"
}

build() {
  local source=$1
  command -v cargo >/dev/null 2>&1 ||
    fail "This runner has no cargo, which builds llm-deploy. Install a Rust toolchain in an earlier step (GitHub's own runners have one), or point LLM_DEPLOY_BINARY at a built llm-deploy."
  echo "::group::Build llm-deploy ($(cargo --version))"
  # From the action's folder, so that a rust-toolchain or .cargo/config of the caller's workspace has no say. The shipped
  # profile: a release build's client is too slow to measure many streams. Without the default features: no demo, no
  # emulator, no tokenizers.
  if ! (cd "$source" && cargo build --profile dist --locked --package llm-deploy --no-default-features \
    --target-dir "$source/target"); then
    echo "::endgroup::"
    fail "cargo could not build llm-deploy; the group above has its messages."
  fi
  echo "::endgroup::"
}

# The second start: SOURCE, and the file for the outputs.
if [ "${1:-}" = --build ]; then
  GITHUB_OUTPUT=$3
  build "$2"
  give "$2/target/dist/llm-deploy"
  exit 0
fi

if [ -n "${LLM_DEPLOY_BINARY:-}" ]; then
  [ -f "$LLM_DEPLOY_BINARY" ] && [ -x "$LLM_DEPLOY_BINARY" ] ||
    fail "LLM_DEPLOY_BINARY is set, but names no executable file. Correct it, or unset it to have llm-deploy built."
  give "$LLM_DEPLOY_BINARY"
  exit 0
fi

source=${GITHUB_ACTION_PATH:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
[ -f "$source/Cargo.lock" ] || fail "The action's folder has no Cargo.lock; the checkout of the action is incomplete."
start_clean --build "$source" "${GITHUB_OUTPUT:-}"
