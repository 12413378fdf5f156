"""Who does what, with workers that are played: bounded, each failure tried once more, the dead replaced."""

import itertools
from collections import Counter

import pytest

from undegrade import UndegradeError
from undegrade.cluster import schedule
from undegrade.cluster.listing import Item
from undegrade.cluster.schedule import Schedule, WorkerDied
from undegrade.files.restore_file import Outcome, Status


class Played:
    """Workers that do what the names of items say: ``fails``, ``fails once``, ``kills``, ``kills once``."""

    def __init__(self, starts=None):
        self.tries, self.order, self.most = Counter(), [], 0
        self.calls, self.numbers = {}, itertools.count()
        self.starts = starts or iter(())
        self.waits = []

    def start(self):
        call = f"start {next(self.numbers)}"
        self.calls[call] = next(self.starts, None) or f"worker {call}"
        return call

    def restore(self, worker, item):
        self.tries[item.source] += 1
        self.order.append(item.source)
        call = f"call {next(self.numbers)}"
        self.calls[call] = item
        self.most = max(self.most, sum(isinstance(x, Item) for x in self.calls.values()))
        return call

    def wait(self, calls, seconds):
        if self.waits and self.waits.pop(0):
            return None
        assert set(calls) == set(self.calls)  # none is forgotten, none is asked for twice
        return min(calls, key=lambda call: int(call.split()[-1]))

    def result(self, call):
        found = self.calls.pop(call)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, str):
            return found
        name, first = found.source, self.tries[found.source] == 1
        if name.startswith("kills") and (first or "once" not in name):
            raise WorkerDied("ActorDiedError: SIGKILL")
        if name.startswith("fails") and (first or "once" not in name):
            return Outcome(name, name, reason="this is bad.")
        return Outcome(name, name, Status.RESTORED)


def run(pool, listing, count=2):
    told = []
    found = list(Schedule(listing, pool, count, lambda item: (item.source, item.output), told.append).run())
    assert pool.calls == {} or all(str(call).startswith("start") for call in pool.calls)
    return found, told


def items(*names):
    return [Item(name, name) for name in names]


def test_everything_is_done_once_and_failures_twice():
    pool = Played()
    names = ["a", "fails", "b", "kills once", "c", "kills", "fails once", "d"]
    found, told = run(pool, items(*names))
    states = {o.source: o.status for o in found}
    assert len(found) == len(names)
    assert {name for name, status in states.items() if status == Status.FAILED} == {"fails", "kills"}
    assert {name: n for name, n in pool.tries.items() if n != 1} == dict.fromkeys(
        ["fails", "kills once", "kills", "fails once"], 2
    )
    # Second tries come after all first ones.
    assert sorted(pool.order[:8]) == sorted(names)
    reasons = {o.source: o.reason for o in found}
    assert reasons["fails"] == "this is bad."
    assert reasons["kills"].startswith("its worker ended (ActorDiedError: SIGKILL); ")
    assert told == []


def test_no_more_is_taken_than_there_are_workers():
    pool = Played()
    taken = []

    def listing():
        for item in items(*map(str, range(50))):
            taken.append(item)
            assert len(taken) - len(done) <= 3 + 1
            yield item

    done = []
    for outcome in Schedule(listing(), pool, 3, lambda item: (item.source, item.output), print).run():
        done.append(outcome)
    assert (len(done), pool.most) == (50, 3)


def test_a_store_that_fails_for_all_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(schedule, "LATER", 5)
    pool = Played()
    plan = Schedule(items(*(f"fails {i}" for i in range(40))), pool, 2, lambda i: (i.source, i.output), print)
    found = []
    for outcome in plan.run():
        found.append(outcome)
        assert len(plan._again) <= 5 + 2
    assert len(found) == len({o.source for o in found}) == 40
    assert set(pool.tries.values()) == {2}
    assert plan._second == set()


def test_outcomes_of_the_listing_are_passed_on():
    skipped = Outcome("x", "x", Status.SKIPPED)
    found, _ = run(Played(), [*items("a"), skipped, *items("b")])
    assert [o.source for o in found if o.status == Status.SKIPPED] == ["x"]
    assert len(found) == 3


def test_workers_that_cannot_start_end_the_run():
    pool = Played(itertools.repeat(UndegradeError("there are no weights.")))
    with pytest.raises(UndegradeError, match=r"^the workers cannot start \(there are no weights\.\)"):
        run(pool, items("a"))
    found, _ = run(Played(iter([WorkerDied("lost"), WorkerDied("lost")])), items("a", "b"))
    assert {o.status for o in found} == {Status.RESTORED}


def test_the_user_is_told_once_that_there_is_no_worker():
    pool = Played()
    pool.waits = [True, True, False, True, False]
    found, told = run(pool, items("a"))
    assert len(found) == 1
    assert told == ["no worker has started yet; the cluster has no room for one, or is starting machines."]


def test_where_workers_ended_amid_a_file_is_known():
    pool = Played()
    plan = Schedule(items("a", "trip/b", "kills", "kills once"), pool, 2, lambda i: (i.source, i.output), print)
    run = plan.run()
    next(run)
    assert plan.unclean == {"trip"}  # it is still at work there
    list(run)
    assert plan.unclean == {""}
