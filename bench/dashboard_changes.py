"""Changes in a cell at a steady rate, a process of its own: claims are taken and released by the domain's functions, a
transaction on eight providers of one tree, so that each changes eight tiles of the map.

Its configuration is JSON in argv[1]: the trees, the rate (providers changed a second), the seconds. What it came to
goes to standard output as JSON.
"""

import json
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import django

django.setup()

from claims.release import release_together  # noqa: E402
from claims.take import take  # noqa: E402
from claims.types import CLAIMED, Member, Order, Taken  # noqa: E402
from providers.cells import home_of  # noqa: E402
from providers.projection import projector  # noqa: E402
from providers.records import CLAIM, read_tree  # noqa: E402

THREADS = 16


def change(cell: str, root: UUID) -> int:
    """Claims on every provider of the tree that has none, or gives them back; how many providers changed."""
    home = home_of(cell)
    tree = read_tree(home, root)
    held = [record for record in tree.records if record.kind == CLAIM]
    if held:
        return len(held) * release_together(held, (CLAIMED,))
    members = tuple(
        Member(uuid4(), n, own.id, own.row["name"], "compute", {"vcpus": random.randint(1, 48)}, own.state_version)
        for n, own in enumerate(tree.providers.values())
    )
    order = Order(home, root, tree.providers[root].state_version, uuid4(), 0, f"c{root.int % 1000}", "bench", members)
    return len(members) * isinstance(take(order), Taken)


def main(config: dict[str, Any]) -> None:
    roots = [UUID(one) for one in config["roots"]]
    random.shuffle(roots)
    until, began = time.monotonic() + config["seconds"], time.monotonic()
    apart = config["together"] / config["rate"]
    done, lock, slots = 0, threading.Lock(), threading.Semaphore(2 * THREADS)

    def one(root: UUID) -> None:
        nonlocal done
        try:
            changed = change(config["cell"], root)
            with lock:
                done += changed
        finally:
            slots.release()

    with ThreadPoolExecutor(THREADS) as pool:
        number = 0
        while time.monotonic() < until:
            due = began + number * apart
            time.sleep(max(0.0, due - time.monotonic()))
            slots.acquire()
            pool.submit(one, roots[number % len(roots)])
            number += 1
    projector().drain()
    print(json.dumps({"changed": done, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
