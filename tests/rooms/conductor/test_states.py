"""The table of a request's states is the truth: what the code writes is in it, what is not in it cannot be written."""

import ast
from pathlib import Path

import pytest

import conductor
from conductor import rows, states
from conductor.states import ALL, ALLOWED, ENDED, STATES, TRANSITIONS, WRITTEN_STATES
from store.home import Home

ROOM = Path(conductor.__file__).parent
WRITTEN = [t for t in TRANSITIONS if not t.implied]
NAMED = {name: value for name, value in vars(states).items() if isinstance(value, str) and value in ALL}


def moves() -> list[tuple[str, str]]:
    """(module, target) of every `move(row, TARGET, ...)` in the room."""
    found = []
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "move":
                names = [n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name) and n.id in NAMED]
                assert names, f"{path.name}:{node.lineno}: the target of a move is a constant of conductor/states.py"
                found += [(path.stem, NAMED[name]) for name in names]
    return found


def row(state: str) -> rows.RequestRow:
    empty = dict.fromkeys(rows.RequestRow.__dataclass_fields__)
    return rows.RequestRow(**(empty | {"home": Home("cell1", "dc1"), "state": state, "version": 1}))


def test_every_move_in_the_code_is_in_the_table():
    assert {target for _, target in moves()} <= {t.target for t in WRITTEN}


def test_every_transition_is_written_by_somebody():
    written = {target for _, target in moves()} | {t.target for t in WRITTEN if t.source == ""}
    assert {t.target for t in WRITTEN} == written == set(WRITTEN_STATES)
    for transition in WRITTEN:
        assert (ROOM / f"{transition.by.removeprefix('conductor.')}.py").exists()
        assert transition.why


def test_the_table_names_each_pair_and_state_once_and_knows_no_others():
    assert {t.target for t in TRANSITIONS} | {t.source for t in TRANSITIONS} - {""} == {state.name for state in STATES}
    assert len({(t.source, t.target, t.by) for t in TRANSITIONS}) == len(TRANSITIONS)


def test_what_has_ended_stays_ended_and_everything_can_end():
    assert {(t.source, t.by) for t in TRANSITIONS if t.source in ENDED} == {("failed", "conductor.twin")}
    can_end = set(ENDED)
    while more := {source for source, target in ALLOWED if target in can_end} - can_end:
        can_end |= more
    assert can_end >= set(WRITTEN_STATES)


@pytest.mark.parametrize("source", ALL)
def test_an_illegal_transition_is_not_written(source, monkeypatch):
    def never(*args: object) -> None:
        raise AssertionError("a transaction was run")

    monkeypatch.setattr(rows, "run", never)
    for target in ALL:
        if (source, target) not in ALLOWED:
            with pytest.raises(ValueError, match=f"cannot go from {source} to {target}"):
                rows.move(row(source), target)
