from __future__ import annotations

from lockgate.engine.phases import TRANSITIONS, PhaseState


def test_every_state_has_its_ways() -> None:
    assert set(TRANSITIONS) == set(PhaseState)


def test_nothing_is_done_without_checks() -> None:
    assert [state for state, to in TRANSITIONS.items() if PhaseState.DONE in to] == [PhaseState.CHECKING]


def test_what_has_begun_can_be_undone() -> None:
    assert {state for state in PhaseState if state.begun} == {
        state for state, to in TRANSITIONS.items() if PhaseState.UNDOING in to
    }


def test_an_undo_goes_only_to_its_end() -> None:
    assert TRANSITIONS[PhaseState.UNDOING] == {PhaseState.UNDOING, PhaseState.UNDONE}
    assert TRANSITIONS[PhaseState.UNDONE] == {PhaseState.RUNNING}


def test_says_where_it_can_go() -> None:
    assert repr(PhaseState.DONE) == "<PhaseState done -> undoing>"
