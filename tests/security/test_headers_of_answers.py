"""What every answer tells a browser to refuse: pages, files, the API, errors."""

import re
from pathlib import Path

import pytest
from django.test import Client

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PATHS = (
    *("/", "/login/", "/cells/none/", "/admin/", "/admin/login/", "/admin/auth/user/", "/admin/providers/cellrecord/"),
    *("/api/", "/api/cells", "/api/nothing", "/api/schema/", "/healthz", "/metrics", "/no-such-page"),
    *("/static/dashboard/page.js", "/static/dashboard/icon.svg", "/static/site/records.css"),
)


@pytest.fixture
def people(cassandra, sign_in):
    return Client(raise_request_exception=False), sign_in("admin")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_guarded(people, path):
    for client in people:
        answer = client.get(path)
        policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        if not path.startswith("/static/"):
            assert answer["X-Frame-Options"] == "DENY"
            assert "no-store" in answer["Cache-Control"]
        assert "utf-8" in answer["Content-Type"] or "json" in answer["Content-Type"] or "svg" in path


def test_https_is_for_good(settings):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 31_536_000, True
    assert Client().get("/healthz").headers["Location"].startswith("https://")
    assert "max-age=31536000" in Client().get("/healthz", secure=True)["Strict-Transport-Security"]


def test_no_template_has_an_inline_script_or_style():
    for file in TEMPLATES.rglob("*.html"):
        text = file.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text), file
