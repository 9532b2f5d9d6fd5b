"""docs/api.md says what the API does: every code, every role, every command it names."""

import re
from pathlib import Path

from django.core.management import get_commands

from api.problems import KINDS
from store.record_roles import ROLES
from tests.rooms.api.portal import document, template_of

PAGE = (Path(__file__).resolve().parents[3] / "docs/api.md").read_text()


def test_every_code_is_explained_with_its_status():
    explained = re.findall(r"^\| `(\w+)` \| (\d{3}) \| .{10,} \|$", PAGE, re.MULTILINE)
    assert explained == [(kind.code, str(kind.status)) for kind in KINDS]


def test_codes_are_unique():
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_every_role_and_command_is_there():
    for role in ROLES:
        assert f"| `{role}` |" in PAGE
    assert set(re.findall(r"manage\.py (\w+)", PAGE)) <= set(get_commands())


def test_every_route_that_is_named_exists():
    paths = set(re.findall(r"http://127\.0\.0\.1:8000(/api/[^\s\"?']*)", PAGE))
    assert len(paths) > 5
    for path in paths:
        named = re.sub(r"\$\w+", "x", path)
        assert template_of(named) in document()["paths"], path
