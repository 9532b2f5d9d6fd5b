"""One side of a comparison, a process of its own in one checkout: it does a turn when it is told to.

Lines come in as JSON, `{"rate": "claims", "seconds": 3}`, and each is answered by one. The bench is that of the
checkout that compares, on both sides (see bench/compare.py); everything else is this side's.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from bench import callers
from bench.claim_rate import taking
from bench.give_back import give_back
from bench.schedule_rate import post
from bench.surroundings import Surroundings, fresh_keyspace, make_hosts, portal

HOSTS = 50
CALLERS = 8


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what anything else prints must not be taken for an answer
    var, cassandra = Path(os.environ["SCHED_VAR"]), int(sys.argv[1]) or None
    with fresh_keyspace(var), portal(var) as started:
        around = Surroundings(var, cassandra)
        cell, hosts = make_hosts("compare", HOSTS)
        ids = [own.id for own in hosts]
        print("ready", file=answers)
        for line in sys.stdin:
            order = json.loads(line)
            if order["rate"] == "claims":
                turn = callers.run(taking(cell.home, ids), CALLERS, order["seconds"], around.processes)
            else:
                turn, _ = post(started, cassandra, cell.name, CALLERS, order["seconds"])
            print(json.dumps(asdict(turn)), file=answers)
            give_back(cell.home, ids)


if __name__ == "__main__":
    main()
