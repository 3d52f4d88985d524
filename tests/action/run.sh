#!/usr/bin/env bash
# Holds action.yml, the workflows and the starter workflows against GitHub's own parser.
# usage: run.sh [TOOLS_DIR]     (npm packages go to TOOLS_DIR; nothing is written into the repository)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-deploy-ci/languageservice}

mkdir -p "$tools"
cp "$here/check.mjs" "$here/package.json" "$tools/"
(cd "$tools" && npm install --silent --no-audit --no-fund)
# The packages import JSON without the attribute that Node wants, so they are bundled first.
(cd "$tools" && npx --no-install esbuild check.mjs --bundle --platform=node --format=esm \
  --banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' \
  --log-level=warning --outfile=check.bundle.mjs)

cd "$root"
files=(action.yml)
for file in .github/workflows/*.yml workflow-templates/*.yml; do
  files+=("$file")
done
node "$tools/check.bundle.mjs" "$root" "${files[@]}"
