"""Opens an export with Debian's `age -d`, which asks for the passphrase on its terminal and nowhere else: so it gets one.
The archive inside is compared with its manifest. Prints both, and the profile, as JSON."""

import hashlib
import json
import os
import pty
import select
import sys
import zipfile

age, sealed, opened = sys.argv[1:]
passphrase = sys.stdin.readline().strip()

child, terminal = pty.fork()
if child == 0:
    os.execv(age, [age, "-d", "-o", opened, sealed])

said = b""
answered = False
while True:
    ready, _, _ = select.select([terminal], [], [], 60)
    if not ready:
        sys.exit(f"age said nothing for a minute after {said!r}")
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # The other end is closed: age has ended.
        break
    if not piece:
        break
    said += piece
    if not answered and b"passphrase" in said.lower():
        os.write(terminal, passphrase.encode() + b"\n")
        answered = True

_, status = os.waitpid(child, 0)
code = os.waitstatus_to_exitcode(status)
if code != 0:
    sys.exit(f"age ended with {code}: {said.decode(errors='replace')}")

with zipfile.ZipFile(opened) as archive:
    manifest = json.loads(archive.read("manifest.json"))
    for part in manifest["parts"]:
        found = hashlib.sha256(archive.read(part["path"])).hexdigest()
        if found != part["sha256"]:
            sys.exit(f"{part['path']} is not what the manifest says")
    profile = next(path for path in archive.namelist() if path.endswith("profile.json"))
    print(json.dumps({
        "files": archive.namelist(),
        "manifest": manifest,
        "profile": json.loads(archive.read(profile)),
    }))
