#!/bin/sh
# Makes a small Debian with systemd once, which takes about a minute, and prints its folder.
set -eu
cd "$(dirname "$0")/../.."

folder=tests/.cache/minbase-$(sha256sum < tests/package/minbase.sh | cut -c1-12)
if [ ! -d "$folder" ]; then
    # The mirror that this machine uses, if it has Debian 12.
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^bookworm //p' | head -n 1)
    rm -rf tests/.cache/minbase*
    mkdir -p tests/.cache
    work=$(mktemp -d "$PWD/tests/.cache/minbase.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$work/root" ${mirror:+"$mirror"} > "$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        echo "minbase.sh: debootstrap failed; the end of its log is above." >&2
        exit 1
    }
    # The downloaded packages are no longer needed.
    rm -f "$work"/root/var/cache/apt/archives/*.deb
    mv -T "$work/root" "$folder"
fi
echo "$PWD/$folder"
