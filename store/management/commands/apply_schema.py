from typing import Any

from django.core.management.base import BaseCommand, CommandError

from store.apply_schema import SchemaChanged, apply_schema
from store.failures import StoreUnavailable


class Command(BaseCommand):
    help = "Creates or upgrades the Cassandra keyspaces and tables; may be run by several processes at once."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            apply_schema(self.stdout.write)
        except (StoreUnavailable, SchemaChanged) as error:
            raise CommandError(str(error)) from error
