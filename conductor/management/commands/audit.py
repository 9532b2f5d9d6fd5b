"""`manage.py audit`: what does not agree, with the repair of each; `--repair` does them."""

import json
import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conductor.audit import look, repair, stretches
from conductor.finding import KINDS, Finding
from providers import cells
from providers.refusals import NotFound

PROGRESS_EVERY = 2.0  # seconds


class Command(BaseCommand):
    help = (
        "Compares claims, instances, requests, projections and lists with each other. Reads only, unless --repair is "
        "given. Exit code 1: something was found and not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cell", default="", help="only this one")
        parser.add_argument("--repair", action="store_true", help="do what each finding says, and log it")
        parser.add_argument("--kind", action="append", default=[], choices=sorted(KINDS), help="only these; repeatable")
        parser.add_argument("--hours", type=int, default=48, help="look at requests of the last so many hours (48)")
        parser.add_argument("--json", action="store_true", help="one JSON object a finding")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            homes = [cells.find(options["cell"]).home] if options["cell"] else cells.all_homes()
        except NotFound as error:
            raise CommandError(str(error)) from error
        if options["hours"] < 1:
            raise CommandError("--hours: must be 1 or more")
        found: Counter[str] = Counter()
        open_ones = 0
        parts = [one for home in homes for one in stretches(home, options["hours"])]
        told = began = time.monotonic()
        for number, part in enumerate(parts, 1):
            for finding in look(part):
                if options["kind"] and finding.kind not in options["kind"]:
                    continue
                found[finding.kind] += 1
                open_ones += not self._one(finding, options["repair"], options["json"])
            if time.monotonic() - told > PROGRESS_EVERY:
                told = time.monotonic()
                self.stderr.write(f"  {number} of {len(parts)} parts, {found.total()} findings; last {part}")
        seconds = time.monotonic() - began
        counted = ", ".join(f"{number} {kind}" for kind, number in found.most_common()) or "nothing found"
        summary = f"{len(parts)} parts of {len(homes)} cells in {seconds:.1f} s: {counted}"
        (self.stderr if options["json"] else self.stdout).write(summary)
        if open_ones and not options["repair"]:
            self.stderr.write("Nothing was changed. --repair does what the findings say.")
        if open_ones:
            raise SystemExit(1)

    def _one(self, finding: Finding, do: bool, as_json: bool) -> bool:
        """Whether it is repaired now."""
        failed = ""
        is_done = do and finding.do is not None
        if is_done:
            try:
                repair(finding, "manage.py audit")
            except Exception as error:  # one that cannot be repaired now must not keep the others waiting
                is_done, failed = False, str(error)
        if as_json:
            line = {
                **{name: str(getattr(finding, name) or "") for name in ("kind", "cell", "what", "repair")},
                **{name: str(getattr(finding, name) or "") for name in ("provider_id", "claim_id", "request_id")},
                "repaired": is_done,
                "error": failed,
            }
            self.stdout.write(json.dumps(line))
            return is_done
        wanted = finding.repair or "a person's to decide"
        end = f"failed: {failed}" if failed else f"repaired: {wanted}" if is_done else f"repair: {wanted}"
        self.stdout.write(f"{finding.cell}  {finding.kind}: {finding.what}; {end}")
        return is_done
