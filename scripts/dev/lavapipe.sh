#!/usr/bin/env bash
# A software GPU with 16-bit floats and subgroup matrices, for the tests that need them: Mesa's lavapipe, from the current
# Debian release's backports, unpacked into a folder of its own together with that release's C library. Nothing of the
# system changes, and nobody has to be root.
#
#   scripts/dev/lavapipe.sh FOLDER                        unpacks, once
#   FOLDER/node SCRIPT                                    runs node on it
#   FOLDER/node node_modules/vitest/vitest.mjs run --pool threads tests/engine/webgpu
#
# (--pool threads: processes that vitest forks would not be run through FOLDER/node.)
set -euo pipefail
folder=$(realpath -m "${1:?usage: scripts/dev/lavapipe.sh FOLDER}")
release=trixie
libraries=$folder/root/usr/lib/$(uname -m)-linux-gnu
[ -x "$folder/node" ] && exit 0

# The mirror that this machine uses for its own packages.
sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true)
mirror=$(grep -oE '[a-z+]+://[^ ]*/debian/?( |$)' <<<"$sources" | head -n 1 | tr -d ' ')
[ -n "$mirror" ] || { echo "lavapipe.sh: /etc/apt names no Debian mirror" >&2; exit 1; }

mkdir -p "$folder"/{lists/partial,cache/archives/partial,root}
: >"$folder/status"
for suite in "$release" "$release-backports"; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >"$folder/sources"
apt=(
  apt-get -qq -o "Dir::Etc::SourceList=$folder/sources" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State=$folder" -o "Dir::State::Lists=$folder/lists" -o "Dir::State::Status=$folder/status"
  -o "Dir::Cache=$folder/cache" -o APT::Install-Recommends=false -o Acquire::Languages=none
)
"${apt[@]}" update
"${apt[@]}" -y --download-only -t "$release-backports" install mesa-vulkan-drivers libvulkan1 libstdc++6 libc6
for package in "$folder"/cache/archives/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
rm -rf "$folder/cache" "$folder/lists"

driver='{"file_format_version":"1.0.1","ICD":{"api_version":"1.4.0","library_path":"%s"}}\n'
printf "$driver" "$libraries/libvulkan_lvp.so" >"$folder/lavapipe.json"
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
cat >"$folder/node" <<SCRIPT
#!/bin/sh
export VK_DRIVER_FILES='$folder/lavapipe.json' VK_ICD_FILENAMES='$folder/lavapipe.json'
export XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/tmp}"
exec '$loader' --library-path '$libraries' "\$(command -v node)" "\$@"
SCRIPT
chmod +x "$folder/node"
