"""`manage.py run_agent`: the same agent as `python -m agents.node`, for hosts that have the portal's environment."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from agents.node.start import add_arguments, run


class Command(BaseCommand):
    help = "Run the agent of one host, or of a simulated fleet, that a configuration file describes."
    # System checks would look at the databases, and an agent's host may reach none of them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run(options))
