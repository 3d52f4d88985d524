#!/bin/sh
# Builds the real Dockerfile with buildah on a small base with a stand-in for `hf` and `vllm`, and checks what
# came out: weights in layers of their own that don't change from build to build, a token that is nowhere, an
# entrypoint that becomes vLLM. Needs root, buildah, jq, python3 and a static busybox; not part of `cargo test`.
#
#   apt-get install --no-install-recommends buildah busybox-static jq && tests/image/buildah.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source_dir=$here/../../src/image
work=$(mktemp -d)
trap 'storage rm --all >/dev/null 2>&1; rm -rf "$work"' EXIT
export BUILDAH_ISOLATION=chroot
token=hf_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
commit=0123456789abcdef0123456789abcdef01234567

storage() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# The base: busybox, an `hf` that wants the token, a `vllm` that says how it was started.
mkdir -p "$work/base/bin" "$work/base/usr/local/bin" "$work/base/tmp" "$work/base/etc"
cp "$(command -v busybox)" "$work/base/bin/busybox"
for applet in sh cat cut dirname env find id ls mkdir mv rm stat touch chmod chown printf seq; do
    ln -s busybox "$work/base/bin/$applet"
done
chmod 1777 "$work/base/tmp"
cat >"$work/base/usr/local/bin/hf" <<'HF'
#!/bin/sh
# hf download MODEL FILE… --revision R --local-dir D
[ "$HF_TOKEN" = "$(cat /expected-token)" ] || { echo "401: no token" >&2; exit 1; }
[ -z "${HF_HUB_OFFLINE:-}" ] || { echo "offline" >&2; exit 1; }
shift 2
files=
while [ "$1" != --revision ]; do files="$files $1"; shift; done
mkdir -p "$4/.cache/huggingface"
for file in $files; do
    mkdir -p "$(dirname "$4/$file")"
    echo "weights of $file at $2" >"$4/$file"
done
HF
cat >"$work/base/usr/local/bin/vllm" <<'VLLM'
#!/bin/sh
echo "vllm pid $$ uid $(id -u) home $HOME offline $HF_HUB_OFFLINE: $*"
for file in $(find /model -type f); do cat "$file"; done
touch "$HOME/writable" && echo "home is writable"
VLLM
chmod 755 "$work/base/usr/local/bin/"*
printf '%s' "$token" >"$work/base/expected-token"
printf 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/bin HF_HUB_OFFLINE=1\n' >"$work/Basefile"
storage bud -q --format docker -t localhost/base -f "$work/Basefile" "$work/base" >/dev/null

# The context, as the program packs it for a model of two shards. This buildah knows no `COPY --link`; BuildKit
# does, and without it only the sharing between builds differs.
mkdir "$work/context"
cp "$source_dir/download.sh" "$source_dir/entrypoint.sh" "$work/context/"
sed -e 's/^COPY --link/COPY/' -e '/layers\/0[3-9]/d' -e '/layers\/[123]/d' "$source_dir/Dockerfile" >"$work/context/Dockerfile"
size() { printf 'weights of %s at %s\n' "$1" "$commit" | wc -c; }
{
    printf '00\t%s\tconfig.json\n' "$(size config.json)"
    printf '01\t%s\tmodel-1.safetensors\n' "$(size model-1.safetensors)"
    printf '02\t%s\t2_Dense/model.safetensors\n' "$(size 2_Dense/model.safetensors)"
} >"$work/context/manifest.tsv"
printf '%s' "$token" >"$work/token"

# bake NAME [OPTION …]
bake() {
    name=$1
    shift
    storage bud --no-cache --layers --format docker --build-arg BASE_IMAGE=localhost/base \
        --build-arg MODEL=o/m --build-arg REVISION="$commit" -t "localhost/$name" "$@" "$work/context"
}
layers() { storage inspect --type image "localhost/$1" | jq -r '.OCIv1.rootfs.diff_ids[]'; }

bake one --secret "id=hf_token,src=$work/token" >"$work/log" 2>&1 || { cat "$work/log"; fail "the build"; }
echo "ok: the image is built"
sleep 1
sed -i 's/^set -eu/set -eu # changed/' "$work/context/entrypoint.sh"
bake two --secret "id=hf_token,src=$work/token" >/dev/null 2>&1
layers one >"$work/one"
layers two >"$work/two"
[ "$(wc -l <"$work/one")" -ge 5 ] || fail "expected base, three weight layers and the entrypoint: $(cat "$work/one")"
[ "$(head -4 "$work/one")" = "$(head -4 "$work/two")" ] || fail "weight layers differ between builds"
[ "$(sed -n 5p "$work/one")" != "$(sed -n 5p "$work/two")" ] || fail "the entrypoint's layer should differ"
echo "ok: weight layers are equal in two builds with different entrypoints"

storage push -q localhost/one "docker-archive:$work/one.tar"
mkdir "$work/unpacked"
tar -xf "$work/one.tar" -C "$work/unpacked"
rm "$work/base/expected-token"
python3 - "$work/unpacked" "$token" <<'PY'
import json, pathlib, sys, tarfile
folder, token = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
manifest = json.loads((folder / "manifest.json").read_text())[0]
base, *ours = manifest["Layers"]
assert token not in (folder / manifest["Config"]).read_bytes(), "the token is in the configuration or history"
for layer in ours:
    with tarfile.open(folder / layer) as archive:
        for member in archive:
            content = archive.extractfile(member).read() if member.isfile() else b""
            assert token not in content, f"the token is in {member.name}"
            if member.name.startswith("model"):
                owner = (member.uid, member.gid, member.mtime, member.mode & 0o777)
                assert owner == (0, 0, 0, 0o755 if member.isdir() else 0o644), (member.name, owner)
print(f"ok: the token is in none of {len(ours)} layers, configuration, history")
PY

container=$(storage from localhost/one)
started=$(storage run --isolation chroot --user 10001:10001 -e PORT=9009 "$container" -- /usr/local/bin/llm-deploy-entrypoint --max-model-len 4096)
echo "$started"
for expected in 'uid 10001 home /tmp/home offline 1: serve /model --host 0.0.0.0 --port 9009 --max-model-len 4096' \
    "weights of 2_Dense/model.safetensors at $commit" 'home is writable'; do
    echo "$started" | grep -qF "$expected" || fail "the container did not say: $expected"
done
echo "ok: the entrypoint becomes vLLM with the weights at hand"

if bake denied >"$work/log" 2>&1; then fail "a download that was refused made an image"; fi
grep -q '401: no token' "$work/log" || { cat "$work/log"; fail "expected the hub's refusal"; }
sed -i 's/^02\t[0-9]*/02\t1/' "$work/context/manifest.tsv"
if bake short --secret "id=hf_token,src=$work/token" >"$work/log" 2>&1; then fail "a wrong size made an image"; fi
grep -q 'model.safetensors has .* bytes, expected 1' "$work/log" || { cat "$work/log"; fail "expected the size to be named"; }
echo "ok: a refused download and a wrong size fail the build"
