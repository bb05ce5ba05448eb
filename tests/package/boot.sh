#!/bin/sh
# boot.sh NAME ROOT DEB: boots the Debian in the folder ROOT as a container, with DEB at /root/domicile.deb.
#
# Containers share ROOT, which nobody changes: what one writes is in memory and gone with it. It has no network, and is
# ended when the caller ends. It has control groups of its own, named NAME, which the caller removes:
# without them, systemd in one container would end the services of the same name in another, or on the machine.
set -eu
name=$1 root=$2 deb=$3

for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir "$tree/$name"
    echo $$ > "$tree/$name/cgroup.procs"
done
# A plain end of systemd-nspawn ends the first process with it; killed, it would leave it behind.
exec setpriv --pdeathsig TERM systemd-nspawn --kill-signal=SIGKILL --quiet --boot --register=no --keep-unit \
    --private-network --link-journal=no --machine="$name" --directory="$root" --read-only --volatile=overlay --bind-ro="$deb:/root/domicile.deb"
