"""`manage.py explain`: why a request fits where it does, or nowhere, as things are now."""

import json
import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from api.fields import Fields
from api.parse.schedule import schedule_request
from api.parse.stored import asked_again
from api.problems import Refused
from conductor.explain import explain_request
from conductor.find import read_request
from conductor.types import Explanation, ScheduleRequest
from providers.refusals import Invalid, NotFound


class Command(BaseCommand):
    help = "Explain a request: who fits, who does not and why, what would make it fit. Reads only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("request", help="a request's id, or a file with a schedule request's JSON (- for stdin)")
        parser.add_argument("--provider", action="append", default=[], help="say why this provider does or does not do")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = _wanted(options["request"])
            explanations, reasons = explain_request(wanted, [_id(one) for one in options["provider"]])
        except (Invalid, NotFound) as error:
            raise CommandError(str(error)) from error
        except Refused as refused:
            fields = "; ".join(f"{one.field}: {one.message}" for one in refused.problem.errors)
            raise CommandError(fields or refused.problem.detail) from refused
        for told in explanations:
            self._tell(told)
        for reason in reasons:
            why = f"{reason.refusal.reason}: {reason.refusal.detail}" if reason.refusal else "fits"
            self.stdout.write(f"{reason.candidate.name}: {why.rstrip(': ')}")

    def _tell(self, told: Explanation) -> None:
        seen = f"{told.considered} providers in {told.shards} of {told.of_shards} shards, {told.seconds:.2f} s"
        self.stdout.write(f"{told.resource_class}: {seen}, policy {told.policy}")
        self.stdout.write(f"  query   {told.query}")
        for stage in told.funnel:
            self.stdout.write(f"  {stage.stage:<12} left {stage.left:>7}  removed {stage.removed:>7}")
        for _, name, short_by in told.nearest:
            short = ", ".join(f"{n} {column}" for column, n in sorted(short_by.items()))
            self.stdout.write(f"  nearest {name}, short by {short}")
        for change in told.changes:
            self.stdout.write(f"  change  {change.text}")


def _wanted(given: str) -> ScheduleRequest:
    try:
        request_id = UUID(given)
    except ValueError:
        body = _from_file(given)
        return schedule_request(body, Fields(body), None, "")[0]
    return asked_again(read_request(request_id))


def _from_file(path: str) -> dict[str, Any]:
    try:
        with sys.stdin if path == "-" else open(path) as file:
            found = json.load(file)
    except OSError as error:
        raise CommandError(f"{path} is neither a request's id nor a file: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError(f"{path} must be a JSON object")
    return found


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise CommandError(f"{given} is not a provider's id") from error
