"""The pages' addresses."""

from django.urls import path

from dashboard import live, views

app_name = "dashboard"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("live/cells", live.cells_now, name="cells-now"),
    path("live/snapshot/<path:name>", live.snapshot, name="snapshot"),
    path("live/poll/<path:name>", live.poll, name="poll"),
    path("live/past/<path:name>", live.past, name="past"),
    path("live/figures/<path:name>", live.figures, name="figures"),
    path("live/events/<path:name>", live.events, name="events"),
    path("cells/<path:name>/", views.cell, name="cell"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", views.Logout.as_view(), name="logout"),
]
