import itertools
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.chunking.blocks import markdown_blocks
from ingest.chunking.chunkers import CHUNKERS, Chunker, make_chunker
from ingest.chunking.join import ChunkSpan, merge_tiny
from ingest.chunking.packed import pack
from ingest.chunking.semantic import cluster, max_min, mean_similarity
from ingest.chunking.tokens import MAX_TOKEN_CHARS, Ruler
from ingest.chunking.topics import TopicVectors
from rag.errors import InvalidSettings
from rag.models.embed import Embedder, TokenVectors, load_embedder, unit

TRUNK = load_embedder(threads=1)
MADE = {
    (name, tokens): make_chunker(name, TRUNK, chunk_tokens=tokens)
    for name in CHUNKERS
    for tokens in (16, 60, 256)
}
TOPICS = {"cat": 0, "dog": 0, "pet": 0, "tax": 1, "loan": 1, "bank": 1, "oak": 2, "elm": 2, "leaf": 2}


class TopicEmbedder:
    """A stand-in that can rank: a word's vector is its topic's axis; words without a topic are on the last axis."""

    fingerprint = "topics"
    dimension = 4
    max_tokens = 100

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        sums = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                sums[row, TOPICS.get(word, 3)] += 1
        return unit(sums)

    def encode_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        raise AssertionError("no chunker needs a pass over the document")

    def token_offsets(self, text: str) -> np.ndarray:
        return np.array([m.span() for m in re.finditer(r"\w+|[^\w\s]", text)], np.int32).reshape(-1, 2)


STAND_IN: Embedder = TopicEmbedder()


def stand_in(name: str, tokens: int) -> Chunker:
    return make_chunker(name, STAND_IN, chunk_tokens=tokens)


def texts(text: str, pieces: Sequence[ChunkSpan]) -> list[str]:
    return [text[piece.start : piece.end] for piece in pieces]


def check(text: str, pieces: Sequence[ChunkSpan], embedder: Embedder, chunk_tokens: int) -> None:
    """The guarantees: in order, stripped, within both limits, and every visible character in a piece."""
    covered = np.zeros(len(text), bool)
    for piece in pieces:
        body = text[piece.start : piece.end]
        assert body
        assert body == body.strip()
        covered[piece.start : piece.end] = True
        assert len(embedder.token_offsets(body)) <= chunk_tokens
        assert len(embedder.token_offsets(f"{piece.context}\n{body}")) <= embedder.max_tokens
    assert all(one.start < two.start and one.end < two.end for one, two in itertools.pairwise(pieces))
    assert all(covered[at] or character.isspace() for at, character in enumerate(text))


FRAGMENTS = st.sampled_from(
    [
        "# Title\n",
        "## Part\n",
        "\n\n",
        "The cat sat. ",
        "| a | b |\n",
        "| --- | --- |\n",
        "```\n",
        "x = 1\n",
        "a,b,c\n",
        "今日は晴れ。",
        "👩‍👩‍👧‍👦",
        "e\u0301" * 9,
        "QUJDRA" * 40,
        "no stop ",
        "\ufdfa",
        "\u200d" * 50,
        " " * 40,
        "- item\n",
    ]
)
TEXTS = st.text(max_size=300) | st.lists(FRAGMENTS | st.text(max_size=20), max_size=60).map("".join)


@pytest.mark.parametrize("name", CHUNKERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, tokens=st.sampled_from([16, 60, 256]))
def test_any_text_is_cut_as_promised(name: str, text: str, tokens: int) -> None:
    check(text, MADE[name, tokens](text), TRUNK, tokens)


HOSTILE = {
    "one sentence": "lorem ipsum dolor " * 3000,
    "no spaces": "".join(chr(97 + i * i % 26) for i in range(50_000)),
    "base64": "".join(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i * i % 64] for i in range(50_000)
    ),
    "CJK": "東京都の天気予報は晴れで" * 2000,
    "kana": "ひらがなだけのながいぶん" * 2000,
    "emoji": "👩‍👩‍👧‍👦👍🏽" * 2000,
    "a megabyte of a": "a" * 1_000_000,
    "white gap": "a" + " " * 100_000 + "b",
    "wide table": "| " + " | ".join(f"column {i}" for i in range(300)) + " |\n" + "| 1 " * 300 + "|\n",
    "long heading": "# " + "very long heading " * 100 + "\ntext",
}


@pytest.mark.parametrize("name", CHUNKERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts(name: str, kind: str) -> None:
    text = HOSTILE[kind]
    pieces = MADE[name, 256](text)
    check(text, pieces, TRUNK, 256)
    assert max(piece.end - piece.start for piece in pieces) <= 256 * MAX_TOKEN_CHARS


@pytest.mark.parametrize("name", CHUNKERS)
def test_blank_texts_have_no_pieces(name: str) -> None:
    assert MADE[name, 60]("") == []
    assert MADE[name, 60](" \n\n\t ") == []


def test_no_cut_inside_an_emoji_or_between_letter_and_accent() -> None:
    for text in ("👩‍👩‍👧‍👦" * 200, "e\u0301\u0302" * 400):
        pieces = MADE["token", 16](text)
        assert len(pieces) > 1
        assert all(
            body[0] not in "\u200d\u0301\u0302" and body[-1] != "\u200d" for body in texts(text, pieces)
        )


class LineBreakEmbedder(TopicEmbedder):
    """A stand-in for tokenizers in which a line break is a token, so that joining a context costs one more."""

    max_tokens = 40

    def token_offsets(self, text: str) -> np.ndarray:
        return np.array([m.span() for m in re.finditer(r"\w+|[^\w\s]|\n", text)], np.int32).reshape(-1, 2)


def test_context_and_text_are_counted_together() -> None:
    embedder: Embedder = LineBreakEmbedder()
    text = "# Head\n\n" + "word " * 200
    check(text, make_chunker("packed", embedder, chunk_tokens=60)(text), embedder, 60)


def test_long_sentence_is_cut_between_words() -> None:
    text = "word " * 100
    pieces = stand_in("packed", 30)(text)
    assert set(texts(text, pieces)) == {" ".join(["word"] * 30), " ".join(["word"] * 10)}
    words = {"antidisestablishmentarianism", "and", "counterrevolutionary"}  # of several tokens each
    text = f"{' '.join(sorted(words))} " * 40
    for tokens in (16, 60):
        assert set(" ".join(texts(text, MADE["packed", tokens](text))).split()) == words


# --- packed, structure and context ---


def test_packed_fills_chunks_with_whole_sentences() -> None:
    text = "One two three four five six seven. " * 5  # 8 tokens each
    assert texts(text, stand_in("packed", 20)(text)) == [
        ("One two three four five six seven. " * 2).strip(),
        ("One two three four five six seven. " * 2).strip(),
        "One two three four five six seven.",
    ]


def test_sections_are_kept_apart_unless_tiny_and_headings_lead_their_text() -> None:
    body = "One two three four five six seven eight nine ten. "
    text = f"# Policy\n\n## Travel\n\n{body}\n\n## Hotels\n\n{body}{body}\n\n## Other\n\nNo.\n"
    pieces = stand_in("packed", 64)(text)
    assert [body.split("\n")[0] for body in texts(text, pieces)] == ["# Policy", "## Hotels"]
    assert texts(text, pieces)[1].endswith("## Other\n\nNo.")  # 5 tokens are fewer than 64 / 8
    assert [piece.context for piece in pieces] == ["", "Policy"]


def test_context_names_the_headings_above_where_a_section_goes_on() -> None:
    text = "# Policy\n## Hotels\n" + "One two three four five six seven. " * 6
    pieces = stand_in("packed", 24)(text)
    assert texts(text, pieces)[0].startswith("# Policy\n## Hotels\nOne")
    assert [piece.context for piece in pieces] == ["", "Policy > Hotels", "Policy > Hotels"]


def test_long_contexts_keep_the_nearest_heading() -> None:
    far, near = "far " * 20, "near " * 20
    text = f"# {far}\n## {near}\n" + "One two three four five six seven. " * 12
    context = stand_in("packed", 60)(text)[-1].context
    assert context == near.strip()
    text = "# " + "long " * 80 + "\n" + "One two three four five six seven. " * 12
    assert stand_in("packed", 60)(text)[-1].context == ("long " * 25).strip()  # a quarter of max_tokens


def test_no_chunk_ends_with_a_heading() -> None:
    text = "".join(
        f"## Part {i}\n\n" + "One two three four five six seven. " * (i % 4 + 1) + "\n\n" for i in range(30)
    )
    for name in ("packed", "max_min", "cluster", "sentence_window"):
        for body in texts(text, stand_in(name, 24)(text)):
            assert not body.split("\n")[-1].startswith("#")


def test_heading_too_long_to_share_a_chunk_leaves_the_sentence_whole() -> None:
    heading, sentence = "# Nine words about a thing that has happened here", "One " * 13 + "end."
    pieces = stand_in("packed", 20)(f"{heading}\n\n{sentence}")
    assert texts(f"{heading}\n\n{sentence}", pieces) == [heading, sentence]
    assert [piece.context for piece in pieces] == ["", heading[2:]]


def test_table_that_fits_stays_whole() -> None:
    table = "| city | rate |\n| --- | --- |\n| Rome | 90 |\n| Oslo | 120 |"
    text = f"Rates are below. \n\n{table}\n\nThey change yearly."
    assert sum(table in body for body in texts(text, stand_in("packed", 40)(text))) == 1
    assert texts(text, stand_in("packed", 60)(text)) == [text]  # with its introduction if that fits


def test_table_that_does_not_fit_is_split_by_row_under_its_header() -> None:
    rows = [f"| town{i} | {i} |" for i in range(20)]  # 5 tokens each
    text = (
        "# Rates\n\n| city | rate |\n| --- | --- |\n" + "\n".join(rows) + "\n\nAfter the table comes prose."
    )
    pieces = stand_in("packed", 32)(text)
    tables = [piece for piece in pieces if "| town" in text[piece.start : piece.end]]
    assert len(tables) > 2
    assert text[tables[0].start : tables[0].end].startswith("# Rates\n\n| city | rate |")
    assert {piece.context for piece in tables[1:]} == {"Rates\n| city | rate |"}
    assert tables[0].context == ""
    whole = "\n".join(texts(text, tables)).splitlines()
    assert [row for row in rows if row in whole] == rows
    assert texts(text, pieces)[-1] == "After the table comes prose."


def test_header_row_is_not_repeated_above_itself_and_is_shortened_where_wide() -> None:
    rows = "".join(f"| town{i} | {i} |\n" for i in range(20))
    text = f"| city | rate |\n| --- | --- |\n{rows}"
    contexts = [piece.context for piece in stand_in("packed", 32)(text)]
    assert contexts == ["", *["| city | rate |"] * (len(contexts) - 1)]
    # Without a rule, the first row is no header, and still says what the table is about
    contexts = [piece.context for piece in stand_in("packed", 32)(f"| city | rate |\n{rows}")]
    assert contexts == ["", *["city | rate"] * (len(contexts) - 1)]
    text = "|" + " name |" * 40 + "\n" + "|" + " - |" * 40 + "\n" + "|" + " 1 |" * 10 + "\n"
    # Whole names, in half of the 100 tokens
    assert stand_in("packed", 90)(text)[-1].context == "| name " * 24 + "|"


def test_a_row_that_is_too_long_is_cut_between_its_cells() -> None:
    names, cells = [f"column{i}" for i in range(40)], [f"cell{i}" for i in range(40)]
    text = "\n".join("| " + " | ".join(row) + " |" for row in (names, ["---"] * 40, cells))
    pieces = [piece for piece in stand_in("packed", 50)(text) if "cell" in text[piece.start : piece.end]]
    first, *others = pieces
    assert first.context.startswith("| column0 | column1 |")
    assert len(others) > 1
    for piece in pieces:
        assert text[piece.start] == "|"
        held = text[piece.start : piece.end].strip("| ").split(" | ")
        assert all(cell in cells for cell in held)
        if piece is not first:
            # Whose columns these are, and of which row
            assert piece.context == ", ".join(["cell0", *(cell.replace("cell", "column") for cell in held)])


def test_rows_divided_by_commas_are_a_table_and_prose_with_commas_is_not() -> None:
    assert [b.kind for b in markdown_blocks("name,age,town\nAnn,5,Rome\nBob,6,Oslo\n")] == ["table"]
    assert [b.kind for b in markdown_blocks("Red, green, blue\nand, then, more\nor, else, less\n")] == [
        "prose"
    ]
    assert [b.kind for b in markdown_blocks("a,b,c\nd,e,f\nNo table.\n")] == ["prose"]
    assert [b.kind for b in markdown_blocks("it,was,so.\nit,is,so.\nit,will,be.\n")] == ["prose"]
    assert [b.kind for b in markdown_blocks("a\tb\nc\td\ne\tf\nEnd.\n")] == ["table", "prose"]


def test_code_stays_whole_or_is_split_by_line() -> None:
    code = "```python\n# not a heading\nx = 1\n\ny = 2\n```"
    text = f"Run this. \n\n{code}\n\nDone."
    assert sum(code in body for body in texts(text, stand_in("packed", 60)(text))) == 1
    assert [block.kind for block in markdown_blocks(text)] == ["prose", "code", "prose"]
    lines = [f"x{i} = f({i})" for i in range(30)]  # 6 tokens each
    text = "~~~\n" + "\n".join(lines) + "\n~~~\n"
    pieces = texts(text, stand_in("packed", 32)(text))
    assert len(pieces) > 3
    assert "\n".join(pieces).splitlines() == text.splitlines()


def test_two_fences_in_a_row_are_two_blocks_and_an_open_one_runs_to_the_end() -> None:
    assert [b.kind for b in markdown_blocks("```\na\n```\n```\nb\n```\n")] == ["code", "code"]
    assert [b.kind for b in markdown_blocks("```\na\n# b\n\nc")] == ["code"]


@given(TEXTS)
def test_blocks_give_the_text_back(text: str) -> None:
    blocks = markdown_blocks(text)
    assert "".join(text[block.start : block.end] for block in blocks) == text


# --- segmentation, against hand calculation and brute force ---


def circle(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane: the similarity of two is the cosine of the angle between them."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_max_min_by_hand() -> None:
    # cos 20 = .94 joins (1.5 x .94 > .6). 30 against {0, 20}: max cos 10 = .985 exceeds .9 x .94 x sigmoid(1) = .618.
    # 75 against {0, 20, 30}: max cos 45 = .707 exceeds .9 x cos 30 x sigmoid(2) = .687, so it joins.
    assert max_min(circle(0, 20, 30, 75), [1] * 4, [9] * 4, threshold=0.6) == [(0, 4)]
    # 78: max cos 48 = .669 does not exceed .687, though it exceeds the threshold.
    assert max_min(circle(0, 20, 30, 78), [1] * 4, [9] * 4, threshold=0.6) == [(0, 3), (3, 4)]
    # A second member needs 1.5 x cos > .6: cos 66 = .407 passes, cos 67 = .391 does not.
    assert max_min(circle(0, 66), [1, 1], [9, 9], threshold=0.6) == [(0, 2)]
    assert max_min(circle(0, 67), [1, 1], [9, 9], threshold=0.6) == [(0, 1), (1, 2)]
    # The least similarity is reset with each chunk: against {180, 185}, cos 50 = .643 exceeds .6 but not .9 x cos 5 x
    # sigmoid(1) = .655; the .407 of {0, 66} would have let it in.
    angles = circle(0, 66, 180, 185, 235)
    assert max_min(angles, [1] * 5, [9] * 5, threshold=0.6) == [(0, 2), (2, 4), (4, 5)]
    # Too long: the third of three equal units does not fit.
    assert max_min(circle(0, 0, 0), [4, 4, 4], [9, 9, 9], threshold=0.6) == [(0, 2), (2, 3)]
    assert max_min(circle(), [], [], threshold=0.6) == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cluster_is_the_best_of_all_segmentations(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    vectors = circle(*data.draw(st.lists(st.integers(0, 180), min_size=count, max_size=count)))
    tokens = data.draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    limits = data.draw(st.lists(st.integers(5, 14), min_size=count, max_size=count))
    average = data.draw(st.sampled_from([-0.5, 0.0, 0.3, 0.7]))

    def reward(ranges: Sequence[tuple[int, int]]) -> float:
        pairs = [pair for first, last in ranges for pair in itertools.combinations(range(first, last), 2)]
        return float(sum(vectors[i] @ vectors[j] - average for i, j in pairs))

    best = -np.inf
    for inner in itertools.chain.from_iterable(
        itertools.combinations(range(1, count), k) for k in range(count)
    ):
        ranges = list(itertools.pairwise([0, *inner, count]))
        if all(sum(tokens[first:last]) <= limits[first] for first, last in ranges):
            best = max(best, reward(ranges))
    found = cluster(vectors, tokens, limits, average=average)
    assert list(itertools.chain.from_iterable(range(*r) for r in found)) == list(range(count))
    assert all(sum(tokens[first:last]) <= limits[first] for first, last in found)
    assert reward(found) == pytest.approx(best, abs=1e-4)


def test_mean_similarity_by_hand() -> None:
    assert mean_similarity(circle(0, 60, 90)) == pytest.approx((0.5 + 0.0 + np.cos(np.pi / 6)) / 3)
    assert mean_similarity(circle(0)) == 0.0


def test_pack_and_merge_tiny_by_hand() -> None:
    assert pack([40, 40, 40], [100] * 3) == [(0, 2), (2, 3)]
    assert pack([40, 40, 40], [100, 100, 30]) == [(0, 2), (2, 3)]
    assert pack([], []) == []
    assert merge_tiny([(0, 1), (1, 2), (2, 3)], [50, 5, 50], [60] * 3, tiny=10) == [(0, 2), (2, 3)]
    assert merge_tiny([(0, 1), (1, 2), (2, 3)], [58, 5, 50], [60] * 3, tiny=10) == [(0, 1), (1, 3)]
    assert merge_tiny([(0, 1), (1, 2)], [20, 20], [60] * 2, tiny=10) == [(0, 1), (1, 2)]


PETS = "A cat met the dog of a pet cat and the pet dog saw one cat go. "
MONEY = "A bank gave the loan of a tax bank and the tax loan saw one bank go. "
TREES = "An oak met the elm of a leaf oak and the leaf elm saw one oak go. "


@pytest.mark.parametrize("name", ["max_min", "cluster"])
def test_semantic_chunks_end_where_the_topic_does(name: str) -> None:
    text = PETS * 3 + MONEY * 2 + TREES * 3
    assert texts(text, stand_in(name, 90)(text)) == [
        (PETS * 3).strip(),
        (MONEY * 2).strip(),
        (TREES * 3).strip(),
    ]
    packed = texts(text, stand_in("packed", 90)(text))
    assert packed[0].endswith(MONEY.strip())  # filling chunks completely mixes topics


def test_topic_vectors_by_hand() -> None:
    text = "the cat the tax 1 2"
    vectors = TopicVectors(STAND_IN).vectors(Ruler(text, STAND_IN), [(0, 7), (8, 15), (16, 19)])
    # "the" weighs the same on both sides, and the mean lies between them: opposites remain.
    assert vectors[0] == pytest.approx([0.5**0.5, -(0.5**0.5), 0, 0], abs=1e-6)
    assert vectors[1] == pytest.approx(-vectors[0], abs=1e-6)
    assert vectors[2] == pytest.approx([0, 0, 0, 0])  # numbers weigh nothing


def test_sentence_window_pieces_are_sentences_and_short_ones_join() -> None:
    text = f"{PETS}No. Yes. {MONEY}"
    chunker = stand_in("sentence_window", 60)
    # 18 + 2 tokens are enough
    assert texts(text, chunker(text)) == [
        f"{PETS}No.",
        f"Yes. {MONEY}".strip(),
    ]


def test_sentences_of_two_sections_do_not_join() -> None:
    text = "## One\n\nNo.\n\n## Two\n\nYes."
    assert texts(text, stand_in("sentence_window", 16)(text)) == ["## One\n\nNo.", "## Two\n\nYes."]


def test_token_windows_are_exact_and_overlap() -> None:
    text = " ".join(f"w{i}" for i in range(50))
    assert [len(body.split()) for body in texts(text, stand_in("token", 20)(text))] == [20, 20, 10]
    overlapping = make_chunker("token", STAND_IN, chunk_tokens=20, overlap_tokens=5)
    assert [body.split()[0] for body in texts(text, overlapping(text))] == ["w0", "w15", "w30"]


# --- the interface ---


def test_make_chunker_names_the_choices() -> None:
    with pytest.raises(
        InvalidSettings, match=r"'semantic'.*packed, max_min, cluster, sentence_window, token"
    ):
        make_chunker("semantic", STAND_IN, chunk_tokens=100)
    with pytest.raises(InvalidSettings, match="is 15; expected at least 16"):
        make_chunker("packed", STAND_IN, chunk_tokens=15)


def test_the_order_of_documents_does_not_matter() -> None:
    text = PETS * 2 + MONEY * 3
    fresh, used = stand_in("max_min", 90), stand_in("max_min", 90)
    used(TREES * 5)
    assert used(text) == fresh(text)


def test_a_slice_that_tokenises_longer_is_cut_again() -> None:
    """A word of 101 letters is one unknown token to BERT; cut, it becomes many."""
    text = "q" * (16 * MAX_TOKEN_CHARS) + "xqz" * 30
    pieces = MADE["token", 16](text)
    check(text, pieces, TRUNK, 16)
    assert Ruler(text, TRUNK).real_count(text) == 1
    assert len(pieces) > 2


def blocks_of(text: str) -> list[tuple[str, int, str]]:
    return [(block.kind, block.level, text[block.start : block.end]) for block in markdown_blocks(text)]


def test_underlined_headings() -> None:
    text = "Pump manual\n===========\n\nParts\n---\nA rotor.\n"
    assert blocks_of(text) == [
        ("heading", 1, "Pump manual\n===========\n"),
        ("prose", 0, "\n"),
        ("heading", 2, "Parts\n---\n"),
        ("prose", 0, "A rotor.\n"),
    ]
    assert markdown_blocks(text)[-1].headings == ("Pump manual", "Parts")


def test_rules_and_front_matter_are_no_headings() -> None:
    for text in (
        "---\ntitle: x\nrevision: 14\n---\n",
        "One\ntwo lines\n---\n",
        "- item\n---\n",
        "\n---\nText.\n---\n",
        "text\n\n---\n\ntext\n",
    ):
        assert {kind for kind, _, _ in blocks_of(text)} == {"prose"}


def test_fences_in_lists_and_tables_without_bars() -> None:
    text = "1. Run\n    ```sh\n    # no heading\n    ```\n\na | b\n--- | :-:\n1 | 2\n3 | 4\n\nSo | so.\n"
    assert [(kind, part) for kind, _, part in blocks_of(text)] == [
        ("prose", "1. Run\n"),
        ("code", "    ```sh\n    # no heading\n    ```\n"),
        ("prose", "\n"),
        ("table", "a | b\n--- | :-:\n1 | 2\n3 | 4\n"),
        ("prose", "\nSo | so.\n"),
    ]


def test_table_of_html_stays_whole() -> None:
    text = "Before.\n<table>\n<tr><td>1\n\n<tr><td>2\n</table>\nAfter.\n"
    assert [kind for kind, _, _ in blocks_of(text)] == ["prose", "code", "prose"]
