"""Workload traces: what is written is read again as it was, and what makes no sense is named with its line."""

import re
from pathlib import Path

import pytest

from simulate.trace import Entry, TraceError, faster, read_trace, write_trace

VCPUS = {"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 4096}, "required": ["SSD"]}
VOLUME = {"resource_class": "block_storage", "amounts": {"capacity_gb": 100}}
ENTRIES = [Entry(0.25, [VCPUS], 1, 60.0, "web"), Entry(1.5, [VCPUS, VOLUME], 3, 7.125)]


def test_a_trace_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    write_trace(path, ENTRIES)
    assert read_trace(path, 1.0) == ENTRIES


def test_lines_are_put_in_order_and_filled_up(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    line = '{"at_seconds": %s, "resources": [{"resource_class": "compute", "amounts": {"vcpus": 1}}]}\n'
    path.write_text(line % 9 + "\n" + line % 0.5)
    first, second = read_trace(path, 30.0)
    assert (first.at, first.count, first.lifetime, first.project) == (0.5, 1, 30.0, "simulate")
    assert second.at == 9


def test_the_same_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(
        "at_seconds,resource_class,amounts,count,lifetime,project\n"
        "1.5,compute,vcpus=2 memory_mb=4096,3,7.5,web\n"
        "0,block_storage,capacity_gb=100,,,\n"
    )
    volume, machine = read_trace(path, 60.0)
    assert volume == Entry(0.0, [VOLUME], 1, 60.0)
    amounts = {"vcpus": 2, "memory_mb": 4096}
    assert machine == Entry(1.5, [{"resource_class": "compute", "amounts": amounts}], 3, 7.5, "web")


def test_a_day_in_a_minute() -> None:
    assert [(one.at, one.lifetime) for one in faster(ENTRIES, 10)] == [(0.025, 6.0), (0.15, 0.7125)]


GOOD = '{"at_seconds": 0, "resources": [{"resource_class": "compute", "amounts": {"vcpus": 1}}]'
HEAD = "at_seconds,resource_class,amounts\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.jsonl", "", "no requests in it"),
        ("t.jsonl", GOOD + "}\n{", ":2: not JSON"),
        ("t.jsonl", "[1]", ":1: not an object"),
        ("t.jsonl", '{"at_seconds": 1}', ":1: resources missing"),
        ("t.jsonl", GOOD + ', "lives": 3}', ":1: 'lives' unknown; there are at_seconds, resources"),
        ("t.jsonl", GOOD + ', "count": 0}', ":1: count: a whole number from 1"),
        ("t.jsonl", GOOD + ', "count": true}', ":1: count: "),
        ("t.jsonl", GOOD + ', "lifetime": "long"}', ":1: lifetime: seconds, from 0"),
        ("t.jsonl", GOOD + ', "lifetime": NaN}', ":1: lifetime: seconds, from 0"),
        ("t.jsonl", GOOD + ', "project": 7}', ":1: project: a name"),
        ("t.jsonl", GOOD.replace("0,", "-1,", 1) + "}", ":1: at_seconds: seconds, from 0"),
        ("t.jsonl", GOOD.replace('"vcpus": 1', '"vcpus": 1.5') + "}", ":1: resources: a list of objects"),
        ("t.jsonl", '{"at_seconds": 0, "resources": []}', ":1: resources: a list of objects"),
        ("t.csv", "", ":1: at_seconds, resource_class, amounts missing"),
        ("t.csv", "at_seconds,amounts\n", ":1: resource_class missing"),
        ("t.csv", HEAD.strip() + ",size\n", ":1: 'size' unknown; there are at_seconds"),
        ("t.csv", HEAD + "1,compute\n", ":2: 2 cells under 3 heads"),
        ("t.csv", HEAD + "1,compute,vcpus=2\nsoon,compute,vcpus=2\n", ":3: at_seconds: 'soon' is not a number"),
        ("t.csv", HEAD + "1,compute,vcpus\n", ":2: amounts.vcpus: '' is not a number"),
        ("t.csv", HEAD + ",compute,vcpus=1\n", ":2: at_seconds missing"),
        ("t.csv", HEAD + "1,,vcpus=1\n", ":2: resource_class missing"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TraceError, match=re.escape(said)):
        read_trace(tmp_path / name, 60.0)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        read_trace(tmp_path / "none.jsonl", 60.0)
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TraceError, match="not UTF-8"):
        read_trace(tmp_path / "bytes.jsonl", 60.0)
    with pytest.raises(TraceError, match="No such file"):
        write_trace(tmp_path / "nowhere" / "t.jsonl", ENTRIES)
