"""`manage.py headroom`: how many more of a shape fit, cell by cell, and what of the free amounts is of no use to it."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conductor.headroom import headroom, headroom_of_recent
from conductor.headroom_text import HEADERS, how_far, rows_of, title_of
from conductor.types import ScheduleRequest
from providers.refusals import Invalid, NotFound
from providers.resource_classes.registry import resource_class
from scheduler.types import Resource


class Command(BaseCommand):
    help = "How many more of one shape fit (`compute vcpus=2 memory_mb=4096`), or of each that was asked for lately."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("resource_class", nargs="?", default="", help="without it: the shapes asked for lately")
        parser.add_argument("amounts", nargs="*", help="column=amount")
        parser.add_argument("--cell", default="", help="only this one")
        parser.add_argument("--project", default="default", help="whose request it would be")
        parser.add_argument("--required", default=[], nargs="+", metavar="TRAIT")
        parser.add_argument("--forbidden", default=[], nargs="+", metavar="TRAIT")

    def handle(self, *args: Any, **options: Any) -> None:
        cell, project = options["cell"], options["project"]
        try:
            found = headroom(_request(options)) if options["resource_class"] else headroom_of_recent(cell, project)
        except (Invalid, NotFound) as error:
            raise CommandError(str(error)) from error
        for shape in found.shapes:
            self.stdout.write(title_of(shape))
            self._table([list(HEADERS), *rows_of(shape)])
            self.stdout.write("")
        self.stdout.write(how_far(found))

    def _table(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS))]
        for row in rows:
            text = "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True))
            self.stdout.write(f"  {text.rstrip()}")


def _request(options: dict[str, Any]) -> ScheduleRequest:
    of_class = resource_class(options["resource_class"])
    resource = Resource(
        of_class.name,
        {name: value for name, value in map(_amount, options["amounts"]) if value},
        required=frozenset(options["required"]),
        forbidden=frozenset(options["forbidden"]),
    )
    unknown = set(resource.amounts) - set(of_class.amounts)
    if unknown or not resource.amounts:
        raise CommandError(f"say how much, as column=amount; {of_class.name} has {', '.join(of_class.amounts)}")
    project, cell = options["project"], options["cell"]
    return ScheduleRequest(consumer="", project=project, resources=(resource,), body={}, username="", cell=cell)


def _amount(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not value.isdigit():
        raise CommandError(f"{text}: must be column=amount, a whole number")
    return name, int(value)
