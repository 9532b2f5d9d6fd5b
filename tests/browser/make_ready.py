"""Makes the SQL side of a portal for the browser tests: tables, an admin, and an API token (which it prints)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from api.tokens import issue  # noqa: E402

call_command("migrate", verbosity=0)
user = get_user_model().objects.create_superuser("admin", password=os.environ["TEST_PASSWORD"])
print(issue(user, "browser tests"))
