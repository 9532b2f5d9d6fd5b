"""`manage.py issue_token`: a token for a program, with the role of a user."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser

from api import tokens
from store.record_roles import ROLES, role_of


class Command(BaseCommand):
    help = "Issue an API token and print it, this once. With --role the user is made, if missing, and given that role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="whose token it is: it has this user's role")
        parser.add_argument("--role", choices=ROLES, help="make the user, or change its role")
        parser.add_argument("--name", default="", help="what the token is for, as shown in the admin")
        parser.add_argument("--rotate", action="store_true", help="revoke the user's other tokens of that name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self._user(options["user"], options["role"])
        if role_of(user) is None:
            raise CommandError(f"{user} has no role: give it one with --role")
        name = options["name"] or f"token of {user}"
        if options["rotate"]:
            tokens.revoke(user=user, name=name)
        self.stdout.write(tokens.issue(user, name))

    def _user(self, username: str, role: str | None) -> Any:
        users = get_user_model().objects
        if role is None:
            user = users.filter(username=username).first()
            if user is None:
                raise CommandError(f"there is no user {username}: --role makes one")
            return user
        user, is_new = users.get_or_create(username=username)
        if is_new:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        user.groups.remove(*Group.objects.filter(name__in=ROLES).exclude(name=role))
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        return user
