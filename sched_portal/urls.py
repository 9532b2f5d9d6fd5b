"""Every path of the portal."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from api.explain_admin import explain_page
from api.metrics import page as metrics
from api.views.process import healthz, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboard.urls")),
    path(
        "admin/conductor/requestrecord/<uuid:request_id>/explain/",
        admin.site.admin_view(explain_page),
        name="explain-request",
    ),
    path("admin/", admin.site.urls),
    path("api/", include("api.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
