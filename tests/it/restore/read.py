# Reads a database of Domicile without its code: PATH KEY.
import sys

from sqlcipher3 import dbapi2 as sqlite

database = sqlite.connect(sys.argv[1])
database.execute(f"""pragma key = "x'{sys.argv[2]}'" """)


def count(table):
    return database.execute(f"select count(*) from {table}").fetchone()[0]


forged = len(database.execute("pragma cipher_integrity_check").fetchall())
integrity = database.execute("pragma integrity_check").fetchone()[0]
print(
    f"cipher {forged}, integrity {integrity}, accounts {count('account')}, stamps {count('snapshot_stamp')}, "
    f"sessions {count('session')}, epochs {count('epoch')}"
)
