"""`manage.py drain`: takes a provider out of service, and tells how far it is until nothing is left on it."""

import getpass
import time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conductor.drain import touched
from providers.drain import Drain, read_drain, start_drain
from providers.find import ProviderFilter, list_providers
from providers.operate_sections import counted, in_words
from providers.refusals import Conflict, NotFound, Undecided
from providers.register import DRAINING
from store.failures import StoreUnavailable

SHOWN = 20  # requests


class Command(BaseCommand):
    help = (
        "Show what is on a provider; with --reason drain it: no new claims, nothing is moved; with --wait until empty."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="its id, or its name if no other has it")
        parser.add_argument("--reason", default="", help="drain it, and say why")
        parser.add_argument("--wait", action="store_true", help="until nothing is left; Ctrl-C only ends the waiting")
        parser.add_argument("--interval", type=float, default=5.0, help="seconds between two looks (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["reason"].strip()
        if len(reason) > 255 or not reason.isprintable():
            raise CommandError("--reason: must have 1 to 255 characters, no control characters")
        try:
            drain = read_drain(_provider(options["provider"]))
            if reason:
                drain = start_drain(drain.own.id, reason, f"{getpass.getuser()} (command)")
        except (NotFound, Conflict, Undecided, StoreUnavailable) as error:
            raise CommandError(str(error)) from error
        self._tell(drain)
        if options["wait"]:
            if drain.own.row["state"] != DRAINING:
                raise CommandError("it does not drain: give a --reason, or it never gets empty")
            self._wait(drain, max(0.1, options["interval"]))

    def _tell(self, drain: Drain) -> None:
        row = drain.own.row
        why = f": {row['state_reason']}" if row["state_reason"] else ""
        self.stdout.write(f"{row['name']} ({drain.own.id}) is {row['state']}{why}")
        if drain.began is not None:
            self.stdout.write(f"since {drain.began.at:%Y-%m-%d %H:%M:%S} UTC, by {drain.began.who or 'unknown'}")
        page = touched(drain, SHOWN)
        for one in page.results:
            there = f", {one.elsewhere} parts elsewhere" if one.elsewhere else ""
            what = f"{counted(one.claims, one.instances)}{there}"
            self.stdout.write(f"  {one.request_id}  {one.state or 'unknown':10}  {one.project}/{one.consumer}: {what}")
        if page.next:
            self.stdout.write("  and more")
        self.stdout.write(_left(drain))

    def _wait(self, drain: Drain, interval: float) -> None:
        told = ""
        while not drain.empty:
            time.sleep(interval)
            try:
                drain = read_drain(drain.own.id)
            except NotFound:
                self.stdout.write("it was removed")
                return
            except StoreUnavailable as error:
                self.stderr.write(f"{error}; trying again")
                continue
            if drain.own.row["state"] != DRAINING:
                raise CommandError(f"it is {drain.own.row['state']} now: somebody ended the drain")
            if _left(drain) != told:
                told = _left(drain)
                self.stdout.write(told)
                self.stdout.flush()
        self.stdout.write("empty")


def _left(drain: Drain) -> str:
    gone = f" ({drain.first - len(drain.records)} of {drain.first} gone)" if drain.began and drain.first else ""
    return f"left: {in_words(drain)}{gone}"


def _provider(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        found = list_providers(ProviderFilter(name=text), 2).results
    if len(found) != 1:
        raise NotFound(f"{'more than one' if found else 'no'} provider is called {text}: give its id")
    return UUID(found[0]["id"])
