"""Writes a file that only its owner may read, whole or not at all."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Mode 600 from the first byte on; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    draft.replace(path)
