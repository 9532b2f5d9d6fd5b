"""Keeps one caller from taking the portal for itself: a counter per caller and window, in the cache.

DRF's own throttle keeps a list of times per caller and rewrites it with every request; at a thousand requests a second
that list is the work. A window that starts over admits up to twice its number across its edge, which harms nobody.
"""

import time

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.authenticate import Caller


class WindowThrottle(BaseThrottle):
    """THROTTLE_CALLER requests per THROTTLE_WINDOW seconds for whoever is known, THROTTLE_STRANGER per address else."""

    def allow_request(self, request: Request, view: object) -> bool:
        caller = request.user
        if isinstance(caller, Caller):
            return self._admit(f"caller:{caller.username}", settings.THROTTLE_CALLER)
        return self._admit(f"address:{request.META.get('REMOTE_ADDR', '')}", settings.THROTTLE_STRANGER)

    def _admit(self, who: str, most: int) -> bool:
        if most <= 0:
            return True
        window = settings.THROTTLE_WINDOW
        number = int(time.time() // window)
        key = f"throttle:{who}:{number}"
        if cache.add(key, 1, timeout=2 * window):
            return True
        try:
            return int(cache.incr(key)) <= most
        except ValueError:  # the cache dropped it meanwhile: it is full, and counts anew
            return True

    def wait(self) -> float:
        """Until the next window."""
        window = float(settings.THROTTLE_WINDOW)
        return window - time.time() % window
