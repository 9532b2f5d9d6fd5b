"""Microversions: opted in to by header, said on every answer, each with a release note and a line of history."""

import re
from pathlib import Path

import pytest

from api.microversions import NEWEST, OLDEST, VERSIONS, Version, at_least

ROOT = Path(__file__).resolve().parents[3]


def test_the_version_document_needs_no_token(callers):
    answer = callers["nobody"].get("/api/")
    (one,) = answer.body["versions"]
    assert one == {"id": "v1", "min_version": str(OLDEST), "max_version": str(NEWEST), "status": "CURRENT"}


@pytest.mark.parametrize("header", ["scheduling 1.0", "scheduling latest", "latest", "compute 2.1, scheduling 1.0"])
def test_a_version_is_opted_in_to(callers, header):
    answer = callers["viewer"].get("/api/cells", OpenStack_API_Version=header)
    assert answer.status == 200
    assert answer.headers["OpenStack-API-Version"] == f"scheduling {NEWEST if 'latest' in header else '1.0'}"


def test_without_a_header_the_oldest_answers(callers):
    assert callers["viewer"].get("/api/cells").headers["OpenStack-API-Version"] == f"scheduling {OLDEST}"


def test_versions_are_in_order_and_compared_as_numbers():
    versions = [version for version, _ in VERSIONS]
    assert versions == sorted(set(versions))
    request = type("Request", (), {"microversion": Version(1, 10)})()
    assert at_least(request, "1.9")
    assert not at_least(request, "1.11")


def test_each_version_has_a_release_note_and_a_line_of_history():
    history = dict(
        re.findall(r"^\| `(\d+\.\d+)` \| (.+) \|$", (ROOT / "docs/api-versions.md").read_text(), re.MULTILINE)
    )
    assert history == {str(version): what for version, what in VERSIONS}
    for version, _ in VERSIONS:
        note = ROOT / f"releasenotes/api-{version}.md"
        assert note.read_text().startswith(f"# API {version}\n"), f"{note} says what is new in it"
