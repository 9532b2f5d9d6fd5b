"""Writes one node's configuration from the templates in cluster/conf/, anew at each start.

What a node runs with is thus always what this checkout says; nobody edits the rendered files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).resolve().parent / "conf"
DIRECTORIES = ("conf", "data", "commitlog", "saved_caches", "hints", "cdc", "log", "tmp")


def write_configuration(home: Path, values: Mapping[str, str | int]) -> None:
    """Make the node's directories and fill each template with `values`; a name that is missing is a KeyError."""
    for name in DIRECTORIES:
        (home / name).mkdir(parents=True, exist_ok=True)
    for template in sorted(TEMPLATES.iterdir()):
        text = Template(template.read_text()).substitute(values, home=home)
        (home / "conf" / template.name).write_text(text)
