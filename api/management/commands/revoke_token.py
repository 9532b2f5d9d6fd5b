"""`manage.py revoke_token`: a token that leaked, or is not needed any more."""

import sys
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api import tokens


class Command(BaseCommand):
    help = "Revoke tokens: all of a user, a provider's agent's, or the one that is typed (or piped) in."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--user", help="all tokens of this user")
        which.add_argument("--provider", type=UUID, help="the token of this provider's agent")
        which.add_argument(
            "--stdin",
            action="store_true",
            help="the token on the standard input, so that no list of processes shows it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["user"]:
            count = tokens.revoke(user__username=options["user"])
        elif options["provider"]:
            count = tokens.revoke(provider_id=options["provider"])
        else:
            count = tokens.revoke(digest=tokens.digest(sys.stdin.readline().strip()))
        if not count:
            raise CommandError("there is no such token")
        self.stdout.write(f"revoked {count}")
