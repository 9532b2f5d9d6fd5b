"""What the documents say is what the code does: a setting, table, transition, library or link that is missing fails."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from agents.node.configuration import ENVIRONMENT
from agents.node.provider_configuration import TOKEN_VARIABLE
from conductor import diagram
from conductor.states import TRANSITIONS
from sched_portal.environment import SETTINGS

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
SKIPPED = {"var", "node_modules"}  # and whatever starts with a dot
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r'(?:src|srcset)="([^"]+)"')
URL = re.compile(r"https?://([^\s/:)\"'`<>\]]+)")
# Pages point at themselves, at examples and at the standards they follow; never at where packages are fetched from.
HOSTS = re.compile(
    r"127\.0\.0\.1|localhost|(.+\.)?example(\.com|\.org)?"
    r"|keepachangelog\.com|semver\.org|(www|maven|cassandra)\.apache\.org|www\.w3\.org"
)
# Their default is a place or is made on first start; the page says so in words.
IN_WORDS = {"SECRET_KEY", "DATABASE_URL", "SCHED_VAR", "CLUSTER_VAR", "CLUSTER_LIB"}
READS = (
    r'environ(?:ment)?(?:\.get\(|\[)\s*"([A-Z_]+)"',
    r'_number\(environment, "([A-Z_]+)"',
    r"\$\{([A-Z_]+):[-+]",
)
PINS = ("requirements.txt", "requirements-dev.txt", "requirements-libvirt.txt", "constraints.txt", "cluster/pom.xml")
TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS \{keyspace\}\.(\w+) \((.*?)\n\)", re.DOTALL)
INTERNAL = {"SCHED_PREPARED", "PATH", "PYTHONUNBUFFERED", "DJANGO_SETTINGS_MODULE"}  # set by one process for the next


def pages() -> list[Path]:
    found = (path for path in ROOT.rglob("*.md") if not _is_skipped(path.relative_to(ROOT)))
    return sorted(found)


def _is_skipped(path: Path) -> bool:
    return any(part in SKIPPED or part.startswith(".") for part in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every line of every table."""
    for line in text.splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def without_code(text: str) -> str:
    return re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documented() -> dict[str, str]:
    """Variable -> the second cell of its line in docs/running.md."""
    found = rows((DOCS / "running.md").read_text())
    return {row[0].strip("`"): row[1] for row in found if re.fullmatch(r"`[A-Z_]+`", row[0])}


def read_by_launcher() -> set[str]:
    """What the processes around Django read themselves."""
    files = [*(ROOT / "cluster").glob("*.py"), *(ROOT / "setup").glob("*.py"), ROOT / "setup/bootstrap.sh"]
    files.append(ROOT / "Procfile")
    return {name for file in files for read in READS for name in re.findall(read, file.read_text())} - INTERNAL


def tables() -> dict[str, str]:
    """Table -> primary key, of every version of the schema."""
    found = {}
    for file in sorted((ROOT / "store" / "schema").glob("*.cql")):
        for name, body in TABLE.findall(file.read_text()):
            whole = re.search(r"PRIMARY KEY (\(.*\))", body)
            alone = re.search(r"(\w+) \w+ PRIMARY KEY", body)
            assert whole or alone, f"{file.name}: no primary key found in {name}"
            found[name] = whole.group(1) if whole else alone.group(1)  # type: ignore[union-attr]
    return found


def test_every_setting_has_its_line_and_its_default() -> None:
    assert settings.configured
    lines = documented()
    missing = sorted(set(SETTINGS) - set(lines))
    assert not missing, f"docs/running.md has no line for {', '.join(missing)}"
    for name in sorted(set(SETTINGS) - IN_WORDS):
        said = lines[name]
        assert said == (f"`{SETTINGS[name]}`" if SETTINGS[name] else "empty"), f"docs/running.md on {name}: {said}"


def test_every_variable_of_launcher_and_agent_has_its_line() -> None:
    known = read_by_launcher() | {*ENVIRONMENT, TOKEN_VARIABLE}
    assert {"CLUSTER_HEAP", "JAVA_HOME", "CASSANDRA_HOSTS"} <= known, "the search for variables finds nothing any more"
    missing = sorted(known - set(documented()))
    assert not missing, f"docs/running.md has no line for {', '.join(missing)}"


def test_no_line_about_a_variable_that_nothing_reads() -> None:
    known = set(SETTINGS) | read_by_launcher() | {*ENVIRONMENT, TOKEN_VARIABLE}
    assert set(documented()) <= known


def test_the_page_of_states_is_made_from_the_table() -> None:
    assert (DOCS / "states.md").read_text() == diagram.page(), "run: make diagram"
    said = [row[:2] for row in rows(diagram.page().split("## What may follow what")[1])][1:]
    assert said == [[f"`{t.source}`" if t.source else "", f"`{t.target}`"] for t in TRANSITIONS]


def test_every_table_is_described_with_its_key() -> None:
    text = (DOCS / "data-model.md").read_text()
    sections = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE))
    assert len(tables()) > 15
    assert set(sections) == set(tables())
    for name, key in tables().items():
        assert sections[name].startswith(f"Key: `{key}`."), f"docs/data-model.md: the key of {name} is {key}"
        for word in ("Written by: ", "Retention: "):
            assert word in sections[name], f"docs/data-model.md: {name} has no {word!r}"


def test_every_library_has_its_reason() -> None:
    reasons = (DOCS / "adr" / "0001-libraries.md").read_text().lower()
    for file in ("requirements.txt", "requirements-dev.txt", "requirements-libvirt.txt"):
        for line in (ROOT / file).read_text().splitlines():
            name = re.match(r"[A-Za-z][\w.-]*", line)
            if name:
                wanted = f"**{name.group().lower()}**"
                assert wanted in reasons, f"docs/adr/0001-libraries.md says nothing of {name.group()}"


def test_the_order_of_the_rooms_is_the_checked_one() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    assert " > ".join(layers) in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_version_is_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## .*\b{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in [*LINK.findall(without_code(text)), *PICTURE.findall(text)]:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)} links to {target}: there is no such heading"


@pytest.mark.parametrize("file", [*pages(), *(ROOT / name for name in PINS)], ids=name_of)
def test_no_address_of_anybody_s_machine_or_registry(file: Path) -> None:
    strangers = [host for host in URL.findall(file.read_text()) if not HOSTS.fullmatch(host.rstrip(".,;"))]
    assert not strangers, f"{name_of(file)} names {', '.join(strangers)}: packages are found as the machine is set up"
