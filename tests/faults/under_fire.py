"""One process of authors, who claim and give back while things break. Run as a script.

Each settles what got no answer, repeats what failed until it knows, and what it was told is written down at the end.
"""

import json
import sys
import threading
import time
from pathlib import Path

from author import Author, Report, Work
from claim_author import ClaimAuthor
from proxy import go_through
from request_author import RequestAuthor
from unknowns import Unknowns

from providers.projection import projector


def main(work: Work) -> None:
    go_through(work.proxies)
    report = Report(Unknowns())
    report.unknowns.watch()
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    authors: list[Author] = [ClaimAuthor(work, report, stop, n) for n in range(work.claim_authors)]
    authors += [RequestAuthor(work, report, stop, 100 + n) for n in range(work.request_authors)]
    threads = [threading.Thread(target=author.run) for author in authors]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        Path(work.report + ".claims").write_text(str(report.claims))
        time.sleep(1.0)
    projector().drain()
    report.write(work.report)


if __name__ == "__main__":
    main(Work(**json.loads(sys.argv[1])))
