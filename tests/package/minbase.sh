#!/bin/sh
# Makes a small Debian with systemd, once, and prints the folder it is in: about a minute, then nothing.
set -eu
cd "$(dirname "$0")/../.."

folder=tests/.cache/minbase-$(sha256sum < tests/package/minbase.sh | cut -c1-12)
if [ ! -d "$folder" ]; then
    # The mirror that this machine itself uses, where it is one of Debian 12.
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^bookworm //p' | head -n 1)
    rm -rf tests/.cache/minbase*
    mkdir -p tests/.cache
    work=$(mktemp -d "$PWD/tests/.cache/minbase.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$work/root" ${mirror:+"$mirror"} > "$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        echo "minbase.sh: debootstrap failed; its last words are above." >&2
        exit 1
    }
    # The downloaded packages are of no more use.
    rm -f "$work"/root/var/cache/apt/archives/*.deb
    mv -T "$work/root" "$folder"
fi
echo "$PWD/$folder"
