# Finish the build base: mmdebstrap's customize hook, $1 is the root. S2I_UV is uv's program on this machine.
set -eu
install -m 0755 "$S2I_UV" "$1/usr/local/bin/uv"
rm -rf "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old
mkdir -p "$1/app"
