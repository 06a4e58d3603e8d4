"""Undo and redo: every state can be returned to, and a burst of changes is one step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.filter_panel.undo_history import BURST, MAX_STEPS, UndoHistory

STATES = st.lists(st.integers(0, 5), max_size=30)


@given(states=STATES, steps=st.integers(0, 40))
def test_redo_is_the_reverse_of_undo(states: list[int], steps: int) -> None:
    """After any changes, undo returns through all distinct states, and redo leads back."""
    history, distinct = UndoHistory(-1), [-1]
    for state in states:
        history.record(state)
        if state != distinct[-1]:
            distinct.append(state)
    steps = min(steps, len(distinct) - 1)
    assert [history.undo() for _ in range(steps)] == distinct[-2 : -2 - steps : -1]
    assert [history.redo() for _ in range(steps)] == distinct[len(distinct) - steps :]
    assert history.can_undo is (len(distinct) > 1)
    assert not history.can_redo


def test_a_burst_is_one_step() -> None:
    """Quick changes by one control are one step; a pause or another control begins the next."""
    times = iter([0.0, 1.0, 1.0 + BURST, 2.0 + BURST, 2.0 + BURST])
    history = UndoHistory("a", clock=lambda: next(times))
    for state, control in (("b", "x"), ("c", "x"), ("d", "x"), ("e", "x"), ("f", "y")):
        history.record(state, control)
    assert [history.undo() for _ in range(4)] == ["e", "c", "a", "a"]


def test_a_change_after_undo_forgets_the_undone() -> None:
    """What was undone cannot be redone once something else has changed, not even in a burst."""
    history = UndoHistory("a", clock=lambda: 0.0)
    history.record("b", "x")
    history.record("c", "y")
    history.undo()
    history.record("d", "x")
    assert not history.can_redo
    assert history.redo() == "d"
    assert history.undo() == "b"


def test_steps_are_limited() -> None:
    """The oldest steps go, so that a panel that is open all day does not grow."""
    history = UndoHistory(0)
    for state in range(1, MAX_STEPS + 10):
        history.record(state)
    assert [history.undo() for _ in range(MAX_STEPS + 5)][-1] == 9
