"""What a conversation names, and the edits proposed for a follow-up: the right one must be among them."""

from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelError
from rag.followup.edits import edits_of, fragment_of
from rag.followup.features import FEATURES, edit_features
from rag.followup.mentions import name_spans, read_conversation
from rag.followup.scorer import load_scorer

LUND = ("How many desks does the office in Lund have?", "The office in Lund has forty desks.")
TOWER = (
    "What is the Eiffel Tower?",
    "The Eiffel Tower is an iron tower in Paris. The Eiffel Tower was built in 1889.",
)


def names_of(text: str) -> list[str]:
    return [text[start:end] for start, end in name_spans(text)]


def test_names_are_found_by_their_capitals() -> None:
    asked = "The Bank of England met on 4 May. What did Ada's friend say?"
    assert names_of(asked) == ["Bank of England", "Ada"]
    bands = "James May's Toy Stories left Slipknot. The band of the 14th Dalai Lama stayed."
    assert names_of(bands) == ["James May", "Toy Stories", "Slipknot", "Dalai Lama"]
    assert names_of("In May 1920 it rained. Monday, too.") == []
    assert names_of("") == []


def test_a_conversation_knows_what_it_named_and_asked() -> None:
    said = read_conversation(
        ["Who was Marie Curie?", "Curie was a physicist from Warsaw.", "tell me about radium"]
    )

    assert [mention.text for mention in said.mentions if mention.name] == ["Marie Curie", "Warsaw"]
    assert len(said.mentions[0].places) == 2  # "Curie" counts for her
    assert "radium" in [mention.text for mention in said.mentions]
    assert said.asked == "tell me about radium"


@pytest.mark.parametrize(
    ("question", "fragment"),
    [
        ("And in Graz?", "in Graz"),
        ("what about lund", "lund"),
        ("and students?", "students"),
        ("How about the US?", "the US"),
        ("Porto?", "Porto"),
        ("And who leads it?", ""),
        ("Is the lamp lit?", ""),
        ("Members pay 40 euros a year and nothing else", ""),
        ("", ""),
    ],
)
def test_a_fragment_is_no_sentence_of_its_own(question: str, fragment: str) -> None:
    assert fragment_of(question) == fragment


@pytest.mark.parametrize(
    ("question", "earlier", "wanted"),
    [
        ("And in Graz?", LUND, "How many desks does the office in Graz have?"),
        ("And chairs?", LUND, "How many chairs does the office in Lund have?"),
        ("How high is it?", TOWER, "How high is the Eiffel Tower?"),
        ("What is its colour?", TOWER, "What is the Eiffel Tower's colour?"),
        ("Who lives there?", LUND, "Who lives in Lund?"),
        ("What was the cost?", TOWER, "What was the cost of the Eiffel Tower?"),
        ("Why?", ("When is the lift out of order?",), "Why is the lift out of order?"),
        ("Why?", ("Is the lamp lit at dusk?",), "Why is the lamp lit at dusk?"),
        ("When?", ("Who lights the lamp?",), "When, who lights the lamp?"),
        ("Who?", ("Who lights the lamp?",), "Who lights the lamp?"),
    ],
)
def test_the_edit_that_is_wanted_is_proposed(question: str, earlier: tuple[str, ...], wanted: str) -> None:
    said = read_conversation(earlier)
    edits = edits_of(question, said)

    assert (edits[0].kind, edits[0].text) == ("leave", question)
    assert wanted in [edit.text for edit in edits]
    assert len({edit.text for edit in edits}) == len(edits)
    features = edit_features(question, said, edits)
    assert features.shape == (len(edits), FEATURES)
    assert np.isfinite(features).all()


def test_a_that_which_opens_a_clause_refers_to_nothing() -> None:
    said = read_conversation(TOWER)

    assert {edit.kind for edit in edits_of("Which songs that he wrote sold?", said)} == {
        "leave",
        "pronoun",
        "append",
    }
    assert "this" in {edit.kind for edit in edits_of("Who built that?", said)}


def test_a_damaged_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_scorer(tmp_path / "rewrites.json")
    (tmp_path / "rewrites.json").write_text('{"hidden": [[1.0]], "bias": [0.0], "out": [1.0], "margin": 0}')
    with pytest.raises(ModelError, match="has 1 features, this version"):
        load_scorer(tmp_path / "rewrites.json")
