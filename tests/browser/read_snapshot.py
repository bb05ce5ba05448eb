"""Opens a published snapshot with an independent SQLCipher and the key on standard input. Prints who is in it, as JSON."""

import json
import sys

try:
    import sqlcipher3
except ModuleNotFoundError:
    sys.exit("this test needs sqlcipher3, which is not here. Run: ./dev tools")

path = sys.argv[1]
key = sys.stdin.readline().strip()

connection = sqlcipher3.connect(f"file:{path}?mode=ro", uri=True)
connection.execute(f"""pragma key = "x'{key}'" """)
rows = connection.execute(
    "select account.username, account_email.address from account join account_email on account_email.account_id = account.id"
).fetchall()
ok = connection.execute("pragma integrity_check").fetchone()[0]
print(json.dumps({"people": rows, "integrity": ok}))
