"""Own work that the server counts before or after it is read in the ledger is no hit, and hides none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lockgate.usage.samples import Sample
from lockgate.usage.window import READS, Window, judge

START = datetime(2026, 1, 1, tzinfo=UTC)

# What happens at any moment: somebody reads the table, Lockgate writes down that it does, the server counts that.
_MOMENT = st.lists(st.sampled_from(["foreign", "own", "count"]), max_size=3)
# A sample reads three times, and things happen before each.
_SAMPLES = st.lists(st.tuples(_MOMENT, _MOMENT, _MOMENT), min_size=2, max_size=8)


@dataclass
class Server:
    foreign: int = 0
    own: int = 0
    counted: int = 0
    taken: list[Sample] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)

    def pass_by(self, events: list[str]) -> None:
        for event in events:
            match event:
                case "foreign":
                    self.foreign += 1
                case "own":
                    self.counted = self.own  # a session counts what it did before when it works again
                    self.own += 1
                case "count":
                    self.counted = self.own

    def sample(self, before: list[str], meanwhile: list[str], after: list[str]) -> None:
        self.pass_by(before)
        sure = self.counted
        self.pass_by(meanwhile)
        scans = self.foreign + self.counted
        self.truth.append(self.foreign)
        self.pass_by(after)
        self.taken.append(sample(len(self.taken), scans, self.own, sure))


def sample(number: int, scans: int, own: int = 0, sure: int = 0, gaps: tuple[str, ...] = ()) -> Sample:
    at = START + timedelta(hours=number)
    return Sample(
        1, "core", "phones", scans, 0, 0, 0, 0, None, None, None, START, at,
        own={"reconcile": {"seq_scan": own}}, own_counted={"seq_scan": sure}, gaps=list(gaps),
    )  # fmt: skip


@given(_SAMPLES)
def test_own_work_is_never_a_hit_and_hides_none_for_longer_than_until_the_next_settled_sample(
    happened: list[tuple[list[str], list[str], list[str]]],
) -> None:
    server = Server()
    for moments in happened:
        server.sample(*moments)
    taken, truth = server.taken, server.truth
    numbers = {one.sampled_at: number for number, one in enumerate(taken)}
    for length in range(1, len(taken) + 1):
        window = judge(taken[:length], READS)
        assert window.restarts == ()
        hits = [(numbers[hit.after], numbers[hit.before], sum(hit.counts.values())) for hit in window.hits]
        known = sum(count for _, _, count in hits)
        assert known <= truth[length - 1] - truth[0]
        for after, before, _ in hits:
            assert truth[after] < truth[before]  # somebody was there between the two
        if taken[0].settled and taken[length - 1].settled:
            assert known == truth[length - 1] - truth[0]


def test_a_sample_before_the_server_counted_is_not_blamed_on_anybody() -> None:
    taken = [sample(0, 10), sample(1, 10, own=1), sample(2, 11, own=1, sure=1)]
    assert judge(taken, READS) == Window(START, (), (), {"reconcile": {"seq_scan": 1}})


def test_a_read_that_hid_behind_own_work_is_found_by_the_next_sample() -> None:
    taken = [sample(0, 10), sample(1, 11, own=1), sample(2, 12, own=1, sure=1)]
    assert judge(taken[:2], READS).hits == ()
    [hit] = judge(taken, READS).hits
    assert (hit.after, hit.before, hit.counts) == (START, taken[2].sampled_at, {"seq_scan": 1})


def test_more_than_own_work_explains_begins_anew_where_own_work_is_missing() -> None:
    taken = [sample(0, 10), sample(1, 11), sample(2, 11, gaps=("reconcile, killed",))]
    assert len(judge(taken, READS).hits) == 1
    assert judge([taken[0], taken[2]], READS).restarts[0].why == (
        "work of Lockgate's own was not counted: reconcile, killed"
    )
    assert judge([taken[0], sample(1, 10, gaps=("reconcile, killed",))], READS) == Window(START, (), (), {})
