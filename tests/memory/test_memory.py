"""The tiers of memory: quotas are kept, the least useful leaves first, and exchanges are never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.memory.tiers import (
    ACTIVE_TOKENS,
    EVICT_FROM,
    LONG,
    MOST_ACTIVE,
    MOST_SUMMED_UP,
    RECENT,
    SESSION_TOKENS,
    Exchange,
    evict,
    gist_of,
    tier_tokens,
    usefulness,
    what_was_said,
)
from rag.store.sessions import Tier


def words(text: str) -> int:
    return len(text.split())


def held(row: int, *, length: int = 20, tier: Tier = "active", gist: str = "", uses: int = 0) -> Exchange:
    return Exchange(row, f"asked {row}?", f"asked {row}?", "word " * length, tier, gist, uses)


def after(before: list[Exchange], moved: list[Exchange]) -> list[Exchange]:
    new = {one.row: one for one in moved}
    return [new.get(one.row, one) for one in before]


TIERS: st.SearchStrategy[Tier] = st.sampled_from(["active", "session", "persistent"])


@given(
    st.lists(
        st.builds(
            held,
            row=st.just(0),
            length=st.integers(0, 900),
            tier=TIERS,
            gist=st.sampled_from(["", "gist " * 5, "gist " * 400]),
            uses=st.integers(0, 5),
        ),
        max_size=12,
    )
)
def test_after_evicting_every_tier_is_below_its_share(made: list[Exchange]) -> None:
    exchanges = [Exchange(n, *_rest(one)) for n, one in enumerate(made)]
    moved = evict(exchanges, words)
    kept = after(exchanges, moved)
    tokens = tier_tokens(kept, words)

    last = sum(one.tier == "active" for one in kept) == 1  # it stays, cut to its quota
    assert tokens["active"] < (1 if last else EVICT_FROM) * ACTIVE_TOKENS
    assert tokens["session"] < EVICT_FROM * SESSION_TOKENS
    assert sum(one.tier == "active" for one in kept) <= MOST_ACTIVE
    order: list[Tier] = ["active", "session", "persistent"]
    assert all(order.index(new.tier) >= order.index(exchanges[new.row].tier) for new in moved)
    assert [(one.asked, one.understood, one.answer) for one in kept] == [
        (one.asked, one.understood, one.answer) for one in exchanges
    ]
    assert evict(kept, words) == []


def _rest(one: Exchange) -> tuple[str, str, str, Tier, str, int]:
    return one.asked, one.understood, one.answer, one.tier, one.gist, one.uses


def test_the_last_exchanges_stay_and_older_ones_become_gists() -> None:
    exchanges = [held(n) for n in range(5)]
    moved = evict(exchanges, words)

    assert [(one.row, one.tier) for one in moved] == [(0, "session"), (1, "session")]
    assert moved[0].gist == "Asked: asked 0? " + " ".join(["word"] * 20)
    # 22 words each: three hold 66 of 350; a long one shows 2 + 160 words and dots
    long = [held(n, length=900) for n in range(3)]
    assert [one.row for one in evict(long, words)] == [0]
    assert evict(long[:1], words) == []


def test_the_least_useful_gist_leaves_first() -> None:
    gists = [held(n, tier="session", gist="gist " * 300, uses=int(n == 0)) for n in range(5)]
    moved = evict(gists, words)  # 1,500 of at most 1,400

    assert [(one.row, one.tier) for one in moved] == [(1, "persistent")]  # 0 is older, but was recalled


def test_what_is_useful() -> None:
    plain = Exchange(0, "Who is Ada?", "Who is Ada?", "The keeper.")
    assert usefulness(plain, 0) == 1.0
    assert usefulness(Exchange(0, "I live in Kiel. Who?", "Who?", "Ada."), 0) == 3.0
    assert usefulness(Exchange(0, "Who is Bo?", "Who is Bo?", ""), 0) == 2.0  # open
    assert usefulness(plain, 1) == pytest.approx(0.98)


def test_a_gist_is_what_was_asked_and_answered() -> None:
    def gist(asked: str, answer: str = "") -> str:
        return gist_of(Exchange(0, asked, asked, answer))

    assert (
        gist("Who is Ada?", "The keeper of the lamp. She wrote.")
        == "Asked: Who is Ada? The keeper of the lamp."
    )
    assert gist("Who is Bo?") == "Open: Who is Bo?"
    # A fact of its own
    assert gist("I live in Kiel. Who is Ada?", "The keeper.") == "Asked: Who is Ada? The keeper."
    assert gist("I live in Kiel.") == ""
    assert words(gist("why " * 900, "because " * 900)) <= 2 * 31 + 1


def test_a_model_sums_long_exchanges_up_and_rules_stand_in() -> None:
    asked: list[str] = []

    def summarize(exchange: str) -> str:
        asked.append(exchange)
        return "" if "asked 1" in exchange else "It was summed up."

    exchanges = [held(0, length=LONG), held(1, length=LONG), *(held(n) for n in (2, 3, 4))]
    moved = evict(exchanges, words, summarize)

    assert [one.gist for one in moved] == ["It was summed up.", gist_of(exchanges[1])]
    assert len(asked) == 2
    evict([held(n) for n in range(5)], words, summarize)
    assert len(asked) == 2  # short ones are not worth a model's time
    evict([held(n, length=LONG) for n in range(50)], words, summarize)
    assert len(asked) == 2 + MOST_SUMMED_UP


def test_what_was_said_is_the_first_question_and_the_last_exchanges() -> None:
    said = [Exchange(n, f"q{n}", f"Q{n}", f"A{n}" if n % 2 else "") for n in range(10)]

    assert RECENT == 3
    assert what_was_said(said) == ["Q0", "Q7", "A7", "Q8", "Q9", "A9"]
    assert what_was_said(said[:2]) == ["Q0", "Q1", "A1"]
    assert what_was_said([]) == []
