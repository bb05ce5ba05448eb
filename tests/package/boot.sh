#!/bin/sh
# boot.sh NAME ROOT DEB: boots the Debian in the folder ROOT as a container, with DEB at /root/domicile.deb.
#
# Containers share ROOT, which never changes: what a container writes is in memory and is lost at its end. A container
# has no network, and ends when the caller ends. It has its own control groups, named NAME, which the caller removes.
# Without them, systemd in one container would stop services with the same name in another container, or on the machine.
set -eu
name=$1 root=$2 deb=$3

for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir "$tree/$name"
    echo $$ > "$tree/$name/cgroup.procs"
done
# SIGTERM makes systemd-nspawn end the first process as well. SIGKILL would leave that process running.
exec setpriv --pdeathsig TERM systemd-nspawn --kill-signal=SIGKILL --quiet --boot --register=no --keep-unit \
    --private-network --link-journal=no --machine="$name" --directory="$root" --read-only --volatile=overlay --bind-ro="$deb:/root/domicile.deb"
