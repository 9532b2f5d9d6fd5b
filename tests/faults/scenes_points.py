"""All points at which a process can be killed, from the code itself: a new transaction is a new point."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conductor.states import TRANSITIONS, point

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"(claims|requests)\.[a-z_]+")


def points() -> set[str]:
    """Every transition of a request, and every transaction that `claims/` or `conductor/rows.py` names."""
    moves = {point(t.source, t.target) for t in TRANSITIONS}
    files = [*sorted((ROOT / "claims").glob("*.py")), ROOT / "conductor" / "rows.py"]
    return moves | {name for file in files for name in _named(file)}


def _named(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            yield node.value


def unnamed() -> list[str]:
    """Transactions that no fault can be planted at: calls of `run` or `repeat` that pass no name on."""
    found = []
    for file in [*(ROOT / "claims").glob("*.py"), *(ROOT / "conductor").glob("*.py")]:
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
