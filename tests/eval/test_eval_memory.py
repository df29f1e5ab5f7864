"""The long conversation of the memory benchmark: who says what, and how its tiers are drawn."""

from eval.benchmarks.conversation import memory


def test_the_third_turn_states_something_and_the_rest_ask() -> None:
    asked = memory.questions(200)

    assert len(asked) == 200
    assert asked[2].startswith(memory.STATED)
    assert not any(memory.STATED in question for number, question in enumerate(asked) if number != 2)
    assert asked == memory.questions(200)  # the same every time
    assert asked[0] == asked[92]  # and again from the start


def test_the_tiers_are_drawn() -> None:
    held = [{"active": 10 * n, "session": 20 * n, "prompt": 30 * n} for n in range(5)]
    drawn = memory.drawn(held)

    assert drawn.startswith("<svg")
    assert "active (evicts from 350)" in drawn
