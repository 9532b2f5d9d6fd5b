"""All points at which a process can be killed, from the code itself: a new transaction is a new point."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conductor.states import TRANSITIONS, point

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"(claims|requests|silent|leases)\.[a-z_]+")
RUNS = re.compile(r"^from store\.lwt import .*\brun\b", re.MULTILINE)
BY_PEOPLE = ("policies.py",)  # what people change, as cells and aggregates are: no step of a request


def points() -> set[str]:
    """Every transition of a request that is written, and every transaction that a file of `files` names."""
    moves = {point(t.source, t.target) for t in TRANSITIONS if not t.implied}
    return moves | {name for file in files() for name in _named(file)}


def files() -> list[Path]:
    """All of `claims/`, what runs transactions in `conductor/`, and the list of silent hosts."""
    of_conductor = [file for file in sorted((ROOT / "conductor").glob("*.py")) if RUNS.search(file.read_text())]
    found = [*sorted((ROOT / "claims").glob("*.py")), *of_conductor, ROOT / "providers" / "silent.py"]
    return [file for file in found if file.name not in BY_PEOPLE]


def without_scene(points_of_scenes: set[str]) -> set[str]:
    """What the rule of test_killed_anywhere.py finds wrong: points that no scene reaches, and scenes of no point."""
    return points() ^ points_of_scenes


def _named(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            yield node.value


def unnamed() -> list[str]:
    """Transactions that no fault can be planted at: calls of `run` or `repeat` that pass no name on."""
    found = []
    for file in {*files(), *(ROOT / "claims").glob("*.py"), *(ROOT / "conductor").glob("*.py")}:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("run", "repeat"):
                position = 2 if node.func.id == "run" else 0
                if len(node.args) <= position or not _is_name(node.args[position]):
                    found.append(f"{file.name}:{node.lineno}")
    return found


def _is_name(argument: ast.expr) -> bool:
    if isinstance(argument, ast.Constant):
        return bool(NAME.fullmatch(str(argument.value)))
    return (isinstance(argument, ast.Name) and argument.id == "name") or isinstance(argument, ast.Call)
