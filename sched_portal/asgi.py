"""The ASGI application that daphne serves: HTTP to Django, WebSockets to the dashboard."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
application = get_asgi_application()
