"""`manage.py run_agent`: the same agent as `python -m agents.node`, for hosts that have the portal's environment.

With `--direct` it needs no portal: it calls the portal's own functions on Cassandra.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from agents.node.provider_configuration import Tokenless
from agents.node.start import add_arguments, run


class Command(BaseCommand):
    help = "Run the agent of one host, or of a simulated fleet: with a URL and a token, or what a file describes."
    # System checks would look at the databases, and an agent's host may reach none of them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("--direct", action="store_true", help="speak to Cassandra, without a portal and a token")
        parser.add_argument("--provider", default="", metavar="ID", help="with --direct and no file: whose agent it is")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["direct"]:
            from conductor.direct_line import Direct  # an agent that has a portal starts without all of this

            sys.exit(run(options, Direct, Tokenless(options["provider"])))
        sys.exit(run(options))
