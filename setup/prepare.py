"""Makes the databases ready: Cassandra's schema, SQL migrations, static files, the first admin, the first hosts.

One process runs all of it, because starting Django five times costs more than the steps do. Each step finds out by
itself that nothing is left to do, so this runs at every start; two at once take turns.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("SCHED_VAR") or ROOT / "var").absolute()

# What the operator reads, the management command, its arguments.
STEPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Cassandra schema", "apply_schema", ()),
    ("SQL tables", "migrate", ("--noinput",)),
    ("static files", "collectstatic", ("--noinput",)),
    ("admin and token", "create_admin", ()),
    ("cell and hosts", "create_fleet", ()),
)


def prepare() -> int:
    """Run every step, a line each; the first that fails ends it with one line and exit code 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
    import django  # only when the work begins: the steps' titles are read without it

    django.setup()
    for title, command, arguments in STEPS:
        if command == "collectstatic" and not _static_changed():
            continue
        began = time.monotonic()
        try:
            said = _run(command, arguments)
        except BaseException as error:
            _explain(title, error)
            return 1
        print(f"{title}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
        if command == "collectstatic":
            _static_stamp().write_text(_static_state())
    return 0


def _run(command: str, arguments: tuple[str, ...]) -> str:
    """The last line that the command printed, which says what it did."""
    from django.core.management import call_command

    printed = io.StringIO()
    call_command(command, *arguments, stdout=printed, no_color=True)
    lines = [line.strip() for line in printed.getvalue().splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "done"


def _explain(title: str, error: BaseException) -> None:
    """One line for the terminal; the whole story in a file, unless the command itself said what is wrong."""
    from django.core.management import CommandError

    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, CommandError):
        print(f"error: {title}: {message}", file=sys.stderr)
        return
    story = VAR / "prepare-error.log"
    story.write_text(traceback.format_exc())
    print(f"error: {title}: {type(error).__name__}: {message[:300]} (more in {story})", file=sys.stderr)


def _static_changed() -> bool:
    stamp = _static_stamp()
    return not stamp.exists() or stamp.read_text() != _static_state()


def _static_stamp() -> Path:
    from django.conf import settings

    return Path(settings.STATIC_ROOT).with_name("static.stamp")


def _static_state() -> str:
    """Name, size and time of every static file there is, and whether the collected ones are still there."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders

    seen = hashlib.sha256(str(Path(settings.STATIC_ROOT).exists()).encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: str(found[0])):
            status = os.stat(storage.path(name))
            seen.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def take_turns(work: Callable[[], int]) -> int:
    """Run `work` while nobody else prepares the same var directory."""
    try:
        VAR.mkdir(parents=True, exist_ok=True)
        with (VAR / "prepare.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return work()
    except OSError as error:
        print(f"error: cannot prepare under {VAR}: {error.strerror or error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(take_turns(prepare))
