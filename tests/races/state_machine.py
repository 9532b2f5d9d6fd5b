"""The state machine: takes, settles, consumes, releases, destroys, marks, reports, changes and removes in any order,
repeated, on records that are long since others, with lost answers, and at once. After each step the rows must be what
the model beside it says; of those at once, what one of their orders gives."""

import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pytest
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from serial_reader import read_serially
from state_acts import OPERATIONS, Act, Cast, Change, Close, OnRecord, Remove, Report, Take, TakeAgain, close_of
from state_model import Answer, Model, Provider, agree, differences, different
from state_rows import AMOUNTS, OWN, OWN_CLASS, image_of, wrong_in_cql, wrong_lookups, wrong_projection, wrong_sums

from providers.inventory import Inventory
from providers.projection import project_now, projector
from providers.records import NIL, record_of
from providers.register import NewProvider, register
from store import failpoints, lwt
from store.failures import StoreUnavailable
from store.home import Home
from store.session import guarded

# Class of the root, then of its children.
LAYOUTS = (("compute", OWN_CLASS), (OWN_CLASS, "compute"), ("compute", "compute", OWN_CLASS))
TOTAL = 8  # of each amount at first

seldom = st.sampled_from((False, False, False, False, True))
which = st.integers(0, 7)
age = st.sampled_from((0, 0, 0, 1, 2, 9))
provider = st.integers(0, 2)
some = st.sampled_from((0, 1, 1, 2, 2, 3, 5))
mixed = st.lists(st.tuples(provider, some, some), min_size=1, max_size=3).map(tuple)
on_one = st.builds(
    lambda one, amounts: tuple((one, *both) for both in amounts),
    provider,
    st.lists(st.tuples(some, some), min_size=1, max_size=3),
)
stale = st.sampled_from(("", "", "", "", "providers", "root"))


def takes() -> st.SearchStrategy[Take]:
    return st.builds(Take, on_one | mixed, st.sampled_from((False, False, True)), stale)


OFTEN = ["consume", "consume", "consume", "destroy", "destroy", "destroy", "release", "building"]
STEPS = st.one_of(
    *(takes() for _ in range(3)),  # one_of takes the same strategy only once
    *(st.builds(OnRecord, st.sampled_from([*OFTEN, *sorted(OPERATIONS)]), which, age) for _ in range(7)),
    st.builds(TakeAgain, which, st.booleans()),
    st.builds(Close, which, seldom),
    st.builds(Remove, st.integers(0, 3), st.integers(1, 3)),
    st.builds(Report, provider, st.lists(st.integers(0, 12), min_size=1, max_size=2).map(tuple)),
    st.builds(
        Change,
        provider,
        st.sampled_from((None, "disabled", "enabled")),
        st.sampled_from((None, 0, 2, 5)),
        st.sampled_from((None, 0.5, 1.0, 1.15, 2.0)),
        seldom,
    ),
)


@dataclass
class Tally:
    """What was done in all runs; said every so many runs, when there is a number."""

    every: int = 0
    began: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    given_up: int = 0  # runs in which Cassandra really did not answer

    def run_ended(self) -> None:
        self.counts["runs"] += 1
        if self.every and self.counts["runs"] % self.every == 0:
            print(self, flush=True)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[what]} {what}" for what in ("runs", "steps", "races", "lost answers"))
        return f"{counts}, {self.given_up} runs given up, {time.monotonic() - self.began:.0f} s"


class Unanswered:
    """Notices transactions that Cassandra really did not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = False
        run = lwt._run

        def noticed(*arguments: Any) -> Any:
            outcome = run(*arguments)
            self.seen |= isinstance(outcome, lwt.Unknown)
            return outcome

        monkeypatch.setattr(lwt, "_run", noticed)


class TreeMachine(RuleBasedStateMachine):
    """One tree a run."""

    def __init__(self, home: Home, tally: Tally, unanswered: Unanswered, threads: ThreadPoolExecutor) -> None:
        super().__init__()
        self.home, self.tally, self.unanswered, self.threads = home, tally, unanswered, threads
        self.history: list[str] = []
        self.trying = ["register"]
        self.over = self.raced = False
        self.behind = False  # an answer was lost, so what it said may not be projected

    @initialize(layout=st.sampled_from(LAYOUTS), first=st.lists(takes(), min_size=1, max_size=2))
    def a_tree(self, layout: Sequence[str], first: Sequence[Take] = ()) -> None:
        root, *children = [uuid.uuid4() for _ in layout]
        names = {one: AMOUNTS.get(c, OWN) for one, c in zip([root, *children], layout, strict=True)}
        for one, of_class in zip([root, *children], layout, strict=True):
            inventory = {name: Inventory(TOTAL) for name in names[one]}
            parent = None if one == root else root
            with self._asking():
                register(
                    NewProvider(of_class, self.home.cell, of_class, inventory, one, parent, heartbeat="none"),
                )
        modelled = [
            Provider(c, dict.fromkeys(names[one], (TOTAL, 0, 1.0))) for one, c in zip(names, layout, strict=True)
        ]
        providers = dict(zip(names, modelled, strict=True))
        self.cast = Cast(self.home, list(names), names, Model(root, providers))
        for order in first:
            self.once(order)

    @rule(step=STEPS)
    def once(self, step: Any) -> None:
        self._alone(step.bind(self.cast))

    @rule(step=STEPS, times=st.integers(2, 3))
    def repeated(self, step: Any, times: int) -> None:
        act = step.bind(self.cast)
        for _ in range(times):
            self._alone(act)

    @rule(step=STEPS, phase=st.sampled_from(("before", "after")))
    def without_an_answer(self, step: Any, phase: str) -> None:
        act = step.bind(self.cast)
        if act is not None and act.point:
            self._alone(act, phase)

    @rule(order=takes(), phase=st.sampled_from(("before", "after")), first=seldom)
    def taken_without_an_answer_then_settled(self, order: Take, phase: str, first: bool) -> None:
        act = order.bind(self.cast)
        claim = next(reversed(self.cast.orders))
        self._alone(act, phase)
        if first:
            self._alone(act)
        self._alone(close_of(self.cast, claim))

    @rule(steps=st.lists(STEPS, min_size=2, max_size=3), lost=seldom)
    def at_once(self, steps: Sequence[Any], lost: bool = False) -> None:
        self._race([act for step in steps if (act := step.bind(self.cast)) is not None], lost)

    @rule(
        one=which,
        names=st.lists(st.sampled_from([*OFTEN, *sorted([*OPERATIONS, "close", "take"])]), min_size=2, max_size=3),
        lost=seldom,
    )
    def at_once_on_one_record(self, one: int, names: Sequence[str], lost: bool) -> None:
        on = self.cast.pick(one)
        other = {"close": Close(on=on), "take": TakeAgain(on=on)}
        steps = [other.get(name) or OnRecord(name, on=on) for name in names]
        self._race([act for step in steps if (act := step.bind(self.cast)) is not None], lost)

    def _alone(self, act: Act | None, lost: str = "") -> None:
        if act is None:
            return
        self.tally.counts["steps"] += 1
        (got,), struck = self._answers([act], lost)
        after = self.cast.model.copy()
        expected = act.expect(after)
        if lost == "before" and got == Answer("Unsettled"):
            after = self.cast.model  # nothing was sent
        if not agree(expected, got, "alone" if struck else "") or different(expected, got):
            self._fail(f"the model says {expected}, not {got}")
        self._adopt([after])

    def _race(self, acts: Sequence[Act], lost: bool) -> None:
        if len(acts) < 2:
            return
        self.raced = True
        self.tally.counts["races"] += 1
        self.tally.counts["steps"] += len(acts)
        got, struck = self._answers(acts, "after" if lost and acts[0].point else "")
        possible = []
        for order in itertools.permutations(range(len(acts))):
            model = self.cast.model.copy()
            told = [(acts[n], acts[n].expect(model), got[n]) for n in order]
            if all(agree(e, g, "raced" if struck and act.point == acts[0].point else "") for act, e, g in told):
                possible.append(model)
        if struck:
            possible += [*self._overtaken(acts, got), *self._done_twice(acts, got)]
        possible += [fewer for model in possible for fewer in _with_fewer_transactions(model, acts, got)]
        if not possible:
            self._fail("no order of the last ones explains their answers")
        self._adopt(possible)

    def _overtaken(self, acts: Sequence[Act], got: Sequence[Answer]) -> Iterator[Model]:
        """The answer that was lost may have been a refusal: a claim of an own class that another one overtook. Its
        author was told what a claim is told that came through, and it is not there."""
        for lost, (act, answer) in enumerate(zip(acts, got, strict=True)):
            if not act.counted or answer != Answer("Unsettled"):
                continue
            others = [n for n in range(len(acts)) if n != lost]
            for order in itertools.permutations(others):
                model = self.cast.model.copy()
                if all(agree(acts[n].expect(model), got[n], "") for n in order):
                    yield model

    def _done_twice(self, acts: Sequence[Act], got: Sequence[Answer]) -> Iterator[Model]:
        """What got no answer is done again, and others may have come in between: an id that was closed, removed, and is
        closed once more."""
        first = len(acts)
        for twice, act in enumerate(acts):
            if act.point != acts[0].point:
                continue
            for order in itertools.permutations(range(first + 1)):
                if order.index(first) > order.index(twice):
                    continue
                model = self.cast.model.copy()
                answers = ((n, acts[twice if n == first else n].expect(model)) for n in order)
                if all(n == first or agree(e, got[n], "raced" if n == twice else "") for n, e in answers):
                    yield model

    def _answers(self, acts: Sequence[Act], lost: str) -> tuple[list[Answer], bool]:
        """Runs the acts at once. `lost`: the answer of the first transaction of the first act's kind is, or (before)
        it is not even sent; whether that happened comes with the answers."""
        if lost:
            failpoints.arm(f"{acts[0].point}:{lost}=lost")
        together = threading.Barrier(len(acts))

        def run(act: Act) -> Answer:
            together.wait()
            return act.call()

        self.trying = [act.text for act in acts]
        try:
            with self._asking():
                got = [act.call() for act in acts] if len(acts) == 1 else list(self.threads.map(run, acts))
        finally:
            struck = bool(lost) and failpoints._armed is not None and failpoints._armed.left <= 0
            failpoints.arm("")
        self.tally.counts["lost answers"] += struck
        self.behind |= struck
        sign, how = "| " if len(acts) > 1 else "", f"   ({acts[0].point} lost, {lost})" if struck else ""
        for act, answer in zip(acts, got, strict=True):
            self.history.append(f"{sign}{act.text} -> {answer.name}{how}")
            self.tally.answers[f"{act.text.split()[0]} {answer.name}"] += 1
        return got, struck

    def _adopt(self, possible: Sequence[Model]) -> None:
        """The model that is as the rows are; fails when none is."""
        rows = self._read()
        image = image_of(rows)
        model = next((one for one in possible if one.image() == image), None)
        if model is None:
            self._fail("\n".join(f"rows differ from the model: {differences(image, m.image())}" for m in possible))
        wrong = list(wrong_sums(rows))
        if wrong:
            self._fail("; ".join(wrong))
        self.cast.model = model
        for record in (record_of(self.home, row) for row in rows if row["record_id"] != NIL):
            versions = self.cast.read.setdefault(record.id, [])
            if not versions or replace(versions[-1], generation=record.generation) != record:
                versions.append(record)

    def _read(self) -> list[dict[str, Any]]:
        with self._asking():
            return guarded(lambda: read_serially(self.cast.model.root, self.home.datacenter))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Gives the run up when Cassandra really did not answer: what the model should do then, nobody knows."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, StoreUnavailable) and not self.unanswered.seen:
                self._fail(f"{'; '.join(self.trying)} raised {error!r}", error)
            self.unanswered.seen = True
        if self.unanswered.seen:
            self.over, self.unanswered.seen = True, False
            self.tally.given_up += 1
            reject()

    def _fail(self, why: str, cause: Exception | None = None) -> NoReturn:
        self.over = True
        raise AssertionError("\n".join([why, *self.history])) from cause

    @rule()
    def projected(self) -> None:
        """Once nothing waits, and the sweep has repaired what a lost answer left, the projection is the record."""
        assert projector().drain(60.0), "the projection is behind"
        if self.behind:
            with self._asking():
                project_now(self.home, self.cast.model.root)
            self.behind = False
        self._no(wrong_projection)

    def teardown(self) -> None:
        self.tally.run_ended()
        if self.over or not hasattr(self, "cast"):
            return
        self.projected()
        self._no(wrong_in_cql)
        # A consume takes an id off the list, a destroy puts it on: at once, either may be last.
        self._no(wrong_lookups, ("claim",) if self.raced else ("claim", "closed"))

    def _no(self, wrong: Callable[..., Iterator[str]], *arguments: Any) -> None:
        rows = self._read()
        with self._asking():
            found = list(wrong(self.home, rows, *arguments))
        if found:
            self._fail("; ".join(found))


def _with_fewer_transactions(model: Model, acts: Sequence[Act], got: Sequence[Answer]) -> Iterator[Model]:
    """Claims that came while one was under way may have gone into one transaction, which counts once."""
    takes = [answer for act, answer in zip(acts, got, strict=True) if act.point == "claims.take" and not act.counted]
    taken = sum(answer == Answer("Taken") for answer in takes)
    for fewer in range(1, min(len(takes) - 2, taken - 1) + 1):
        one = model.copy()
        one.generation -= fewer
        yield one
