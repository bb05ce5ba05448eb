"""Two rotations of the signing key under load. Workers exchange a key for tokens, and two services verify each token repeatedly for
as long as it is valid, while the clock of this process and of the appliance moves over four days: quickly while no key changes, and in
small steps while one does. Prints the number of verifications, and those that were refused."""

import collections
import json
import os
import random
import sys
import threading
import time

from verifiers import LazyService, Service, exchange, header_of, httpx

base_url, clock = sys.argv[1:]
key = sys.stdin.readline().strip()
HOUR = 3600
DAY = 24 * HOUR
WORKERS = 3
STEP = 30
AUDIENCE = "inference"

ahead = 0
# A library moves the clock of the appliance: it reads a file repeatedly, and two threads that read at once may get an inconsistent
# time. This process has threads, so it uses this function instead of the library.
true_time = time.time
time.time = lambda: true_time() + ahead
tokens = collections.deque(maxlen=200)
refused, verified = [], 0
signed_first, seen_first = {}, {}
count = threading.Lock()


def now():
    return time.time()


def move(seconds):
    global ahead
    # This clock moves first: a verifier may be ahead of the signer, but not behind.
    ahead += seconds
    with open(f"{clock}.mine", "w") as file:
        file.write(f"+{ahead}s")
    os.replace(f"{clock}.mine", clock)


class Worker(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.lock, self.rounds, self.is_over = threading.Lock(), 0, False
        self.client = httpx.Client(timeout=60)
        self.services = [Service(base_url, AUDIENCE), LazyService(base_url, AUDIENCE)]

    def run(self):
        while not self.is_over:
            with self.lock:
                self.work()
            self.rounds += 1
            time.sleep(0.001)

    def work(self):
        global verified
        answer = exchange(self.client, base_url, key, AUDIENCE)
        if answer.status_code != 200:
            refused.append(f"exchange: {answer.status_code} {answer.text}")
            return
        token = answer.json()["access_token"]
        with count:
            signed_first.setdefault(header_of(token)["kid"], now())
            tokens.append((now() + answer.json()["expires_in"], token))
            # The clock moves by at most one step during one round.
            old = [(until, token) for until, token in tokens if until > now() + STEP + 10]
        for until, one in [tokens[-1], *random.sample(old, min(4, len(old)))]:
            for service in self.services:
                try:
                    service.accept(one, ["models:read"])
                except Exception as error:  # every exception is a refusal
                    refused.append(f"{type(service).__name__}: {error!r} of {header_of(one)}, good for {until - now()} s")
                with count:
                    verified += 1


workers = [Worker() for _ in range(WORKERS)]


def rounds(each):
    """Waits until every worker has completed this number of further rounds."""
    goals = [worker.rounds + each for worker in workers]
    while any(worker.rounds < goal and worker.is_alive() for worker, goal in zip(workers, goals)):
        time.sleep(0.005)
    if not all(worker.is_alive() for worker in workers):
        sys.exit("a worker stopped")


start = now()


def fetch_keys():
    for one in httpx.get(f"{base_url}/.well-known/jwks.json").json()["keys"]:
        seen_first.setdefault(one["kid"], now())


def leap(seconds):
    """Moves the clock far while no worker has a token, because every token would have expired after such a step."""
    for worker in workers:
        worker.lock.acquire()
    move(seconds)
    tokens.clear()
    for worker in workers:
        worker.lock.release()
    rounds(2)
    fetch_keys()


fetch_keys()
for worker in workers:
    worker.start()
rounds(3)
for known in (1, 2):
    while len(seen_first) == known and now() < start + 5 * DAY:
        leap(6 * HOUR)
    # The key was made in this step, and it signs a day later.
    signs = max(seen_first.values()) + DAY
    while now() < signs - 120:
        leap(min(6 * HOUR, int(signs - 119 - now())))
    while len(signed_first) == known and now() < signs + 600:
        rounds(2)
        move(STEP)
    # The tokens of the previous key are still in use, and then they have expired.
    for _ in range(14):
        rounds(2)
        fetch_keys()
        move(STEP)
# Until the previous key is no longer published.
leap(HOUR)
rounds(2)
for worker in workers:
    worker.is_over = True
while any(worker.is_alive() for worker in workers):
    time.sleep(0.005)
fetch_keys()

kids = sorted(signed_first, key=signed_first.get)
print(json.dumps({
    "verified": verified,
    "refused": refused[:10],
    "kids": kids,
    "published_ahead": [signed_first[kid] - seen_first[kid] for kid in kids[1:]],
    "published_now": [one["kid"] for one in httpx.get(f"{base_url}/.well-known/jwks.json").json()["keys"]],
}))
