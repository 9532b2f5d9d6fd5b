"""What every answer says to a browser: nothing runs on our pages but our own files, and nobody keeps them.

Django's SecurityMiddleware and XFrameOptionsMiddleware add nosniff, the referrer, the opener and frames.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# No inline script or style anywhere, Django's admin included; `data:` pictures are in its style sheets and ours.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
UNUSED = "camera geolocation microphone payment usb serial display-capture midi".split()
PERMISSIONS = ", ".join(f"{name}=()" for name in UNUSED)


class HeadersMiddleware:
    """Outside of whitenoise, so that files have them too. Those are the same for everybody and may be kept; whatever
    else says nothing of caches is for its caller alone."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response["Content-Security-Policy"] = CONTENT_POLICY
        response["Permissions-Policy"] = PERMISSIONS
        response.headers.setdefault("Cache-Control", "no-store")
        return response
