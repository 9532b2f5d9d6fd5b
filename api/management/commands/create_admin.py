"""`manage.py create_admin`: the first way in, made once, and made anew with --rotate."""

import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandParser

from api import tokens
from api.write_secret import write_secret

USER = "admin"
TOKEN_NAME = "admin-token"


class Command(BaseCommand):
    help = (
        "Make user `admin` with a password in var/admin-password and an API token in var/admin-token (mode 600), as "
        "far as they are missing. --rotate makes both anew and revokes the old token."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rotate", action="store_true", help="make password and token anew")

    def handle(self, *args: Any, **options: Any) -> None:
        var = Path(settings.VAR_DIR)
        made = []
        user, is_new = self._user()
        if is_new or options["rotate"]:
            made.append(self._password(user, var / "admin-password"))
        if options["rotate"] or not _has_token(var / "admin-token"):
            tokens.revoke(user=user, name=TOKEN_NAME)
            write_secret(var / "admin-token", tokens.issue(user, TOKEN_NAME) + "\n")
            made.append(f"token in {var / 'admin-token'}")
        self.stdout.write("made " + ", ".join(made) if made else "there already")

    def _user(self) -> tuple[AbstractUser, bool]:
        user, is_new = get_user_model().objects.get_or_create(
            username=USER, defaults={"is_staff": True, "is_superuser": True}
        )
        return user, is_new

    def _password(self, user: AbstractUser, path: Path) -> str:
        # The file first: a password that was set and not written down would lock everybody out.
        password = secrets.token_urlsafe(18)
        write_secret(path, password + "\n")
        user.set_password(password)
        user.save(update_fields=["password"])
        return f"user {USER}, password in {path}"


def _has_token(path: Path) -> bool:
    """Whether the file is there and its token works: the SQL database may be another one than it was made for."""
    try:
        return tokens.are_valid([path.read_text(encoding="utf-8").strip()])
    except OSError:
        return False
