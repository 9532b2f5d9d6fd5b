"""The dashboard's WebSocket paths."""

from django.urls import path

from dashboard.consumers import CellConsumer

websocket_urlpatterns = [
    path("ws/cells/<path:name>/", CellConsumer.as_asgi()),
]
