"""docs/states.md, made from the table of states: `python -m conductor.diagram > docs/states.md` (`make diagram`)."""

from collections.abc import Iterator

from conductor.states import ANSWER, IMPLIED, STATES, TRANSITIONS, WRITTEN, Transition

WORDS = {
    WRITTEN: "written into the row by a transaction",
    IMPLIED: "said by the row and its claims together, never written",
    ANSWER: "only ever an answer",
}


def page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The states of a request"
    yield ""
    yield "Made from the table in `conductor/states.py` (`make diagram`); a test compares the two. A move that is not"
    yield "in the table cannot be written (`conductor/rows.py: move`). Dashed: not written, implied by what is."
    yield ""
    yield "```mermaid"
    yield "flowchart TD"
    for state in STATES:
        left, right = ("([", "])") if state.kind == WRITTEN else ("{{", "}}") if state.kind == ANSWER else ("[", "]")
        yield f"    {state.name}{left}{state.name}{right}"
    yield "    new(( ))"
    for (source, target), some in _arrows().items():
        arrow = "-.->" if all(one.implied for one in some) else "-->"
        yield f"    {source or 'new'} {arrow} {target}"
    yield "```"
    yield ""
    yield "| state | how | what it means |"
    yield "| --- | --- | --- |"
    for state in STATES:
        yield f"| `{state.name}` | {WORDS[state.kind]} | {state.means} |"
    yield ""
    yield "## What may follow what"
    yield ""
    yield "An empty first state is a new row. Each written move is one transaction, `IF version = ?`, that fault"
    yield "tests call `requests.<from>-<to>`."
    yield ""
    yield "| from | to | by | why |"
    yield "| --- | --- | --- | --- |"
    for one in TRANSITIONS:
        source = f"`{one.source}`" if one.source else ""
        by = f"`{one.by}`" + (" (implied)" if one.implied else "")
        yield f"| {source} | `{one.target}` | {by} | {one.why} |"


def _arrows() -> dict[tuple[str, str], list[Transition]]:
    arrows: dict[tuple[str, str], list[Transition]] = {}
    for one in TRANSITIONS:
        if one.source != one.target:
            arrows.setdefault((one.source, one.target), []).append(one)
    return arrows


if __name__ == "__main__":
    print(page(), end="")
