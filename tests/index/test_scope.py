"""Which document a question means: the prior by hand, series, and the same after any history."""

import math
import random
from pathlib import Path

import numpy as np
import pytest

from rag.answer.relevance import is_unnamed
from rag.index.scope import OPENING, TRUST, DocumentNames, concepts_of, prefer_newest
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.stages import ModelSet
from tests.made_versions import CORPUS, Library, follower, random_vectors

REPORTS = {
    1: "2023 Q1 OSKL\nOskel, Inc. (OSKL)\nFor the quarterly period ended March 31, 2023",
    2: "2023 Q2 OSKL\nOskel, Inc. (OSKL)\nFor the quarterly period ended June 30, 2023",
    3: "report 17\nValtera, Inc. (VLTR)\nFor the quarterly period ended June 30, 2023",
    4: "minutes\nThe board met and discussed the margin.",
}


@pytest.fixture
def names() -> DocumentNames:
    names = DocumentNames()
    names.add(list(REPORTS), list(REPORTS.values()))
    return names


def test_the_prior_by_hand(names: DocumentNames) -> None:
    # Oskel says ln(5 / 3) for two openings, the second quarter ln(5 / 2) for one label, 2023 ln(5 / 4) for two labels
    # and an opening.
    scope = names.scope("What was the margin of Oskel in the second quarter of 2023?")
    oskel, quarter, year = OPENING * math.log(5 / 3), math.log(5 / 2), math.log(5 / 4)
    said = np.array([oskel + year, oskel + quarter + year, OPENING * year, 0.0])
    assert scope.prior.tolist() == pytest.approx(np.exp(TRUST * (said - said.max())).tolist())
    assert scope.meant.tolist() == [
        row for row, one in zip(range(1, 5), scope.prior, strict=True) if one >= 0.5
    ]
    assert scope.prior.argmax() == 1
    assert scope.content == "What was the margin of in the of 2023?"  # 2023 names too many to be left out


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Valtera's inventories", [3]),
        ("VLTR inventories", [3]),
        ("Oskel's revenue to June 30", [2]),
        ("the margin of OSKL in Q1", [1]),
        ("oskl margin 1Q23", [1]),
        ("What is the margin?", []),
        ("What did Zebra earn?", []),
        ("the MARGIN", []),
    ],
)
def test_the_likeliest_document(names: DocumentNames, question: str, rows: list[int]) -> None:
    scope = names.scope(question)
    likeliest = scope.rows[scope.prior == 1.0].tolist()
    assert likeliest == (rows or [1, 2, 3, 4])


def test_documents_of_other_names_are_told(names: DocumentNames) -> None:
    rows = np.array([1, 3, 4])
    assert names.scope("What was Oskel's margin in Q1 2023?").unnamed(rows) == [(), ("oskel",), ("oskel",)]
    assert names.scope("Do Oskel and Valtera differ?").unnamed(rows) == [
        ("valtera",), ("oskel",), ("oskel", "valtera"),
    ]  # fmt: skip
    # Neither small letters nor names that no document is called by
    assert names.scope("What was the margin of oskel, and of Zebra?").unnamed(rows) == [(), (), ()]


def test_what_other_names_say_answers_less_likely(library: Library) -> None:
    same = "Fluctuations of the dollar had no effect on margins."
    library.put("a.txt", f"Oskel, Inc. (OSKL)\n{same} Report one.")
    library.put("b.txt", f"Valtera, Inc. (VLTR)\n{same} Report two.")
    library.put("c.txt", "The board met in Lund.\nNothing was said.")
    settings = Settings(home=Path("unused"), refuse_below=0.0)
    pipeline = Pipeline(settings, library.catalog, ModelSet(settings, library.embedder))
    for name, document in (("Oskel", "a.txt"), ("Valtera", "b.txt")):
        answer = pipeline.ask(CORPUS, f"What effect had the dollar on the margins of {name}?")
        assert answer.citations[0].document == document
        hits = {hit.chunk.document: is_unnamed(hit) for hit in answer.trace.rankings["trimmed"]}
        assert hits[document] is False
        assert hits[{"a.txt": "b.txt", "b.txt": "a.txt"}[document]] is True


def test_a_question_that_names_nothing_says_nothing(names: DocumentNames) -> None:
    scope = names.scope("how large is the margin?")
    assert set(scope.prior.tolist()) == {1.0}
    assert scope.meant.tolist() == []
    assert scope.content == "how large is the margin?"


def test_a_question_of_names_alone_keeps_them(names: DocumentNames) -> None:
    assert names.scope("Oskel Q1").content == ""


def test_without_documents_nothing_is_meant() -> None:
    scope = DocumentNames().scope("What was the margin of Oskel in Q1 2023?")
    assert scope.meant.tolist() == scope.rows.tolist() == []


def test_concepts_of_a_question() -> None:
    found = {
        one.term: one.named for one in concepts_of("How far does the Heron X2 reach in manual v1.4 of FY23?")
    }
    assert found == {
        "far": False,
        "heron": True,
        "x2": True,
        "reach": False,
        "manual": False,
        "1.4": True,
        "2023": True,
    }


def test_offsets_of_concepts_hold_in_a_question_with_ligatures(names: DocumentNames) -> None:
    assert names.scope("ﬁnd the margin of Oskel in Q1").content == "find the margin of in"


@pytest.mark.parametrize(
    ("labels", "old"),
    [
        (["travel policy 2024", "travel policy 2026", "leave policy"], {"travel policy 2024"}),
        (["2023 Q2 OSKL", "2023 Q10 OSKL", "2023 Q3 OSKL", "2022 Q4 OSKL"], {"2023 Q2 OSKL", "2022 Q4 OSKL"}),
        (["heron v1.4", "heron v1.10"], {"heron v1.4"}),
        (["2026 03 09 battery", "2025 02 12 council"], set()),
        (["notes", "letters"], set()),
    ],
)
def test_the_newest_of_a_series(labels: list[str], old: set[str]) -> None:
    preferred = prefer_newest(dict.fromkeys(labels, 1.0))
    assert {label for label, prior in preferred.items() if prior < 1} == old


def test_the_newest_is_meant_as_much_as_any_of_its_series() -> None:
    preferred = prefer_newest({"prices 2024": 0.8, "prices 2026": 0.3, "minutes": 0.1})
    # One of two: ln(3 / 2) nats.
    assert preferred == pytest.approx(
        {"prices 2024": 0.8 * math.exp(-TRUST * math.log(3 / 2)), "prices 2026": 0.8, "minutes": 0.1}
    )


def test_arrays_restore_the_names(names: DocumentNames) -> None:
    restored = DocumentNames.from_arrays(names.to_arrays())
    for question in ("Oskel in Q2", "Valtera", "margin"):
        assert restored.scope(question).prior.tolist() == names.scope(question).prior.tolist()


def test_any_history_gives_the_scope_of_a_rebuild(library: Library) -> None:
    chance, catalog = random.Random(3), library.catalog
    library.put("first", "Oskel in 2023")
    index = follower(catalog)
    for turn in range(25):
        present = [one.name for one in catalog.documents.infos(CORPUS)]
        if chance.random() < 0.3:
            catalog.documents.delete(CORPUS, [chance.choice(present)] if len(present) > 1 else [])
        else:
            name = f"2023-Q{chance.randint(1, 4)}-{chance.choice(['OSKL', 'VLTR'])}.txt"
            library.put(
                name, f"Report {turn} of {chance.choice(['Oskel', 'Valtera'])} Inc.\nThe margin rose."
            )
        if chance.random() < 0.3:
            index.save(always=True)
            index = follower(catalog)
        rebuilt = follower(catalog, lexical="rank_bm25")  # has no snapshot
        for question in ("Oskel's margin in Q2", "VLTR in 3Q23", "the report of Valtera"):
            vector = random_vectors(1, turn)[0]
            found, expected = (
                each.search(question, vector, dense_k=50, lexical_k=4, scoped=True)
                for each in (index, rebuilt)
            )
            assert found.prior == expected.prior
            assert found.prior.keys() == found.chunks.keys() == found.lexical_scores.keys()


def test_the_document_that_is_meant_is_found_among_many_alike(library: Library) -> None:
    for number in range(26):
        name, text = (
            f"filing-{chr(ord('a') + number)}.txt",
            f"Report of Company{number} Inc.\nThe margin was {number}.5.",
        )
        library.put(name, text)
    index, vector = follower(library.catalog), random_vectors(1, 0)[0]

    def found(*, scoped: bool) -> int:
        """Count the companies whose margin is found."""
        return sum(
            f"The margin was {number}.5." in {chunk.text for chunk in rankings.chunks.values()}
            for number in range(26)
            for question in [f"What was the margin of Company{number}?"]
            for rankings in [index.search(question, vector, dense_k=0, lexical_k=2, scoped=scoped)]
        )

    assert found(scoped=True) == 26
    assert found(scoped=False) < 5


def test_a_passage_is_no_better_for_repeating_the_name(library: Library) -> None:
    library.put("oskel.txt", "Oskel Inc. of Oskel Road\nThe margin was 17 percent.")
    library.put("valtera.txt", "Valtera Inc. of Valtera Road\nThe margin was 9 percent.")
    index, vector = follower(library.catalog), random_vectors(1, 0)[0]
    found = index.search("the margin of Oskel", vector, dense_k=9, lexical_k=9, scoped=True)
    plain = index.search("the margin of Oskel", vector, dense_k=9, lexical_k=9)
    by_text = {found.chunks[i].text: i for i in found.chunks}
    title, answer = by_text["Oskel Inc. of Oskel Road"], by_text["The margin was 17 percent."]
    # The title holds nothing but the name, which counts a quarter; the answer keeps its words.
    assert found.lexical_scores[title] == pytest.approx(0.25 * plain.lexical_scores[title])
    assert found.lexical_scores[answer] > 0.5 * plain.lexical_scores[answer]


def test_a_filter_holds_among_the_documents_that_are_meant(library: Library) -> None:
    library.put("2023-OSKL.txt", "The margin of Oskel rose.", metadata={"kept": False})
    library.put("2023-VLTR.txt", "The margin of Valtera fell.", metadata={"kept": True})
    found = follower(library.catalog).search(
        "the margin of OSKL",
        random_vectors(1, 0)[0],
        dense_k=5,
        lexical_k=5,
        filter_={"kept": True},
        scoped=True,
    )
    assert {chunk.document for chunk in found.chunks.values()} == {"2023-VLTR.txt"}
