"""Records in parts."""

import json

import pytest

from undegrade.cluster import records
from undegrade.cluster.records import Parts


def lines(place):
    """The lines of each part, in the order of the names."""
    return [place.fs.cat_file(place.path(e.name)).decode().splitlines() for e in place.list()]


def test_parts_are_whole_and_all_lines_are_there(out, monkeypatch):
    monkeypatch.setattr(records, "LINES", 3)
    parts = Parts(out)
    for i in range(7):
        print(json.dumps({"i": i}), file=parts, flush=True)
    assert [len(part) for part in lines(out)] == [3, 3]
    parts.close()
    parts.close()
    assert [json.loads(line)["i"] for part in lines(out) for line in part] == list(range(7))
    assert all(e.name.endswith(f"-{i:06}.jsonl") for i, e in enumerate(out.list(), 1))


def test_a_slow_batch_is_recorded_as_it_goes(out, monkeypatch):
    monkeypatch.setattr(records, "SECONDS", 0.0)
    parts = Parts(out)
    print("{}", file=parts, flush=True)
    assert lines(out) == [["{}"]]


def test_two_runs_have_parts_of_their_own(out):
    for text in ("1", "2"):
        parts = Parts(out)
        print(text, file=parts)
        parts.close()
    Parts(out).close()  # nothing to say, no part
    assert sorted(lines(out)) == [["1"], ["2"]]


def test_a_store_that_refuses_is_an_error_of_the_system(out, monkeypatch):
    def refuse(self, content, relative):
        raise RuntimeError("NoSuchBucket: the bucket is gone")

    monkeypatch.setattr(type(out), "put_bytes", refuse)
    parts = Parts(out)
    print("{}", file=parts)
    with pytest.raises(OSError, match="NoSuchBucket"):
        parts.close()
    assert parts.closed
