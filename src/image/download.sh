#!/bin/sh
# download.sh MODEL REVISION MANIFEST LAYERS
#
# Downloads the files of the manifest (lines of: layer TAB bytes TAB path) from Hugging Face, checks that each
# is there with its size, and sorts them into LAYERS/NN/model/. Owner, permissions and times are made equal,
# so that equal weights give equal layers. A token, if any, is read from the BuildKit secret `hf_token`.
set -eu

model=$1
revision=$2
manifest=$3
layers=$4

tab=$(printf '\t')
scratch=$layers/.download
secret=${HF_TOKEN_FILE:-/run/secrets/hf_token}

fail() {
    echo "download: $*" >&2
    exit 1
}

if [ -s "$secret" ]; then
    HF_TOKEN=$(cat "$secret")
    export HF_TOKEN
fi
# The base image may forbid the network.
unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
# The base image may also set high performance. hf_xet then buffers up to 16 GB, and before 1.7.0 ignores the limits
# below; the default builder has 8 GB.
unset HF_XET_HIGH_PERFORMANCE HF_XET_HP
# The download's buffers take 1 GB at most. hf_xet 1.4 and later: 512 MB, and 64 MB for each of 8 files at a time. 1.3 knows
# BUFFER_SIZE alone. Before that: 16 ranges of up to 64 MB.
export HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT=1gb \
    HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE=512mb \
    HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_PERFILE_SIZE=64mb \
    HF_XET_DATA_MAX_CONCURRENT_FILE_DOWNLOADS=8 \
    HF_XET_NUM_CONCURRENT_RANGE_GETS=16
export HF_HOME="$layers/.cache" HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1

set --
while IFS=$tab read -r layer bytes path; do
    set -- "$@" "$path"
done <"$manifest"
[ "$#" -gt 0 ] || fail "the manifest names no file"

mkdir -p "$scratch"
echo "download: $# files of $model at $revision"
# The clients take a single name as it is, several as patterns.
if [ "$#" -gt 1 ]; then
    for path do
        set -- "$@" "$(printf '%s' "$path" | sed 's/[[*?]/[&]/g')"
        shift
    done
fi
if command -v hf >/dev/null 2>&1; then
    hf download "$model" "$@" --revision "$revision" --local-dir "$scratch"
elif command -v huggingface-cli >/dev/null 2>&1; then
    huggingface-cli download "$model" "$@" --revision "$revision" --local-dir "$scratch"
else
    python3 -c '
import glob, sys
# Several are patterns by now, a single one is not.
from huggingface_hub import snapshot_download
model, revision, folder, *files = sys.argv[1:]
patterns = files if len(files) > 1 else [glob.escape(f) for f in files]
snapshot_download(model, revision=revision, local_dir=folder, allow_patterns=patterns)
' "$model" "$revision" "$scratch" "$@"
fi

while IFS=$tab read -r layer bytes path; do
    file=$scratch/$path
    [ -f "$file" ] && [ ! -L "$file" ] || fail "$path is missing after the download"
    found=$(stat -c %s "$file")
    [ "$found" = "$bytes" ] || fail "$path has $found bytes, expected $bytes"
    target=$layers/$layer/model/$path
    mkdir -p "$(dirname "$target")"
    mv "$file" "$target"
done <"$manifest"

rm -rf "$scratch" "$HF_HOME"
chown -R 0:0 "$layers"
find "$layers" -type d -exec chmod 0755 {} +
find "$layers" -type f -exec chmod 0644 {} +
find "$layers" -exec touch -d @0 {} +
echo "download: every file is there"
