"""Reads settings from the environment.

Every setting has one name, one default that works and one line in docs/running.md (a test compares the three), so all
of them are read through these four functions and recorded in `SETTINGS`.
"""

import contextlib
import os
import secrets
from pathlib import Path

SETTINGS: dict[str, str] = {}


def text(name: str, default: str = "") -> str:
    SETTINGS[name] = default
    return os.environ.get(name, default)


def integer(name: str, default: int) -> int:
    SETTINGS[name] = str(default)
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError:
        raise SystemExit(f"{name} must be a whole number, but is {raw!r}") from None


def number(name: str, default: float) -> float:
    SETTINGS[name] = str(default)
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return float(raw)
    except ValueError:
        raise SystemExit(f"{name} must be a number, but is {raw!r}") from None


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str, path: Path) -> str:
    """The environment's value, else the one kept in `path` (mode 600), made on first use by whoever is first."""
    SETTINGS[name] = f"made on first start, kept in {path.name}"
    if os.environ.get(name):
        return os.environ[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
