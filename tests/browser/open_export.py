"""Decrypts an export with Debian's `age -d`, which reads the passphrase only from a terminal, so this script gives it one.
Compares the archive with its manifest. Prints the file list, the manifest and the profile as JSON."""

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

output = b""
answered = False
while True:
    ready, _, _ = select.select([terminal], [], [], 60)
    if not ready:
        sys.exit(f"age printed nothing for a minute after {output!r}")
    try:
        chunk = os.read(terminal, 4096)
    except OSError:  # The terminal is closed because age has exited.
        break
    if not chunk:
        break
    output += chunk
    if not answered and b"passphrase" in output.lower():
        os.write(terminal, passphrase.encode() + b"\n")
        answered = True

_, status = os.waitpid(child, 0)
code = os.waitstatus_to_exitcode(status)
if code != 0:
    sys.exit(f"age exited with {code}: {output.decode(errors='replace')}")

with zipfile.ZipFile(opened) as archive:
    manifest = json.loads(archive.read("manifest.json"))
    for part in manifest["parts"]:
        actual = hashlib.sha256(archive.read(part["path"])).hexdigest()
        if actual != part["sha256"]:
            sys.exit(f"{part['path']} does not match the manifest")
    profile = next(path for path in archive.namelist() if path.endswith("profile.json"))
    print(json.dumps({
        "files": archive.namelist(),
        "manifest": manifest,
        "profile": json.loads(archive.read(profile)),
    }))
