"""Reads a password's hash with another program's eyes: its parameters, and whether the password is behind it.

Standard input: a line with the hash, a line with the password. Standard output: JSON.
"""

import json
import sys

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

stored, password = sys.stdin.read().split("\n")[:2]
found = extract_parameters(stored)


def is_right(typed):
    try:
        return PasswordHasher().verify(stored, typed)
    except VerifyMismatchError:
        return False


print(json.dumps({
    "kind": found.type.name,
    "version": found.version,
    "memory_kib": found.memory_cost,
    "passes": found.time_cost,
    "lanes": found.parallelism,
    "salt_bytes": found.salt_len,
    "hash_bytes": found.hash_len,
    "is_right": is_right(password),
    "is_right_for_another": is_right(password + "x"),
}))
