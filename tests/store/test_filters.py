"""Filters against an oracle in Python, over random metadata and random filters."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import InvalidFilter
from rag.store.catalog import Catalog
from rag.store.filters import filter_to_sql
from rag.types import Recipe
from tests.made_versions import CORPUS, make_version, random_vectors

KEYS = [
    "year",
    "region",
    "draft",
    'a"b',
    "a.b",
    "a'b",
    "ключ",
    "",
    " ",
    "a\\b",
    "[0]",
    "🦩",
    "*",
    "\n",
    "?",
]
WORDS = [
    "DE",
    "AT",
    "de",
    "",
    "2024",
    "1",
    "true",
    "ü",
    "z" * 30,
    "'; DROP TABLE documents; --",
    '"',
    "%",
    "null",
]
NUMBERS: list[int | float] = [0, 1, -1, 2024, 2024.0, 2023.5, 1e300, 2**62, -(2**63), 0.1, 3]
SCALARS = st.sampled_from([*WORDS, *NUMBERS, True, False])
TESTS = {
    "$eq": lambda own, value: own == value,
    "$gt": lambda own, value: own > value,
    "$gte": lambda own, value: own >= value,
    "$lt": lambda own, value: own < value,
    "$lte": lambda own, value: own <= value,
}


def oracle(filter_: Mapping[str, Any], name: str, metadata: Mapping[str, Any]) -> bool:
    """Decide as the docstring of rag.store.filters specifies."""
    return all(
        all(oracle(operand, name, metadata) for operand in test)
        if key == "$and"
        else any(oracle(operand, name, metadata) for operand in test)
        if key == "$or"
        else field_matches(test, {**metadata, "$document": name}, key)
        for key, test in filter_.items()
    )


def field_matches(test: Any, fields: Mapping[str, Any], key: str) -> bool:
    tests = test if isinstance(test, dict) else {"$eq": test}
    return all(compare(operator, fields, key, value) for operator, value in tests.items())


def compare(operator: str, fields: Mapping[str, Any], key: str, value: Any) -> bool:
    if operator in ("$ne", "$nin"):
        return not compare({"$ne": "$eq", "$nin": "$in"}[operator], fields, key, value)
    if operator == "$in":
        return any(compare("$eq", fields, key, member) for member in value)
    own = fields.get(key)
    if own is None or isinstance(own, str) != isinstance(value, str):
        return False
    return bool(TESTS[operator](own, value))


METADATA = st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=6)
COMPARISONS = st.dictionaries(st.sampled_from([*TESTS, "$ne"]), SCALARS, min_size=1, max_size=2)
MEMBERSHIPS = st.dictionaries(
    st.sampled_from(["$in", "$nin"]), st.lists(SCALARS, max_size=4), min_size=1, max_size=2
)
FIELDS = st.dictionaries(
    st.sampled_from([*KEYS, "$document"]), SCALARS | COMPARISONS | MEMBERSHIPS, max_size=3
)
FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=6,
)


def put(catalog: Catalog, name: str, metadata: Mapping[str, Any]) -> int:
    catalog.create_corpus(CORPUS, Recipe("random"))
    catalog.documents.put(CORPUS, name, make_version("x", random_vectors(1, 0), metadata=metadata))
    return int(catalog.database.read().execute("SELECT max(row) FROM documents").fetchone()[0])


def found(catalog: Catalog, filter_: Mapping[str, Any]) -> list[int]:
    return [int(row) for row in catalog.documents.matching(CORPUS, filter_)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(METADATA, min_size=1, max_size=8), filters=st.lists(FILTERS, min_size=6, max_size=6)
)
def test_filters_match_the_oracle(
    catalog: Catalog, documents: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    catalog.create_corpus(CORPUS, Recipe("random"))
    catalog.delete_corpus(CORPUS)
    rows = {}
    for word, metadata in zip(WORDS, documents, strict=False):
        rows[put(catalog, word or "1.0", metadata)] = (word or "1.0", metadata)
    for filter_ in filters:
        expected = [row for row, (name, metadata) in rows.items() if oracle(filter_, name, metadata)]
        assert found(catalog, filter_) == expected, filter_


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({}, ["de24", "at23", "text", "none"]),
        ({"year": 2024}, ["de24"]),
        ({"year": 2024.0}, ["de24"]),
        ({"year": "2024"}, ["text"]),  # a text is not a number
        ({"year": {"$gt": 0}}, ["de24", "at23"]),
        ({"year": {"$lt": "3"}}, ["text"]),
        ({"year": {"$ne": 2024}}, ["at23", "text", "none"]),  # a missing field is not equal
        ({"year": {"$nin": [2024, "2024"]}}, ["at23", "none"]),
        ({"year": {"$in": []}}, []),
        ({"year": {"$nin": []}}, ["de24", "at23", "text", "none"]),
        ({"year": {"$gte": 2023, "$lt": 2024}}, ["at23"]),
        ({"draft": True}, ["de24"]),
        ({"draft": {"$ne": True}}, ["at23", "text", "none"]),
        ({"$document": "text"}, ["text"]),
        ({"$document": {"$gte": "e"}}, ["text", "none"]),
        ({"$document": {"$in": ["none", "at23", "zzz"]}}, ["at23", "none"]),
        ({"$document": {"$ne": 5}}, ["de24", "at23", "text", "none"]),
        ({"$or": [{"region": "AT"}, {"year": 2024}], "draft": False}, ["at23"]),
        ({"$and": [{"$or": [{"region": "DE"}, {"region": "AT"}]}, {"year": {"$gt": 2023}}]}, ["de24"]),
        ({"region": "' OR 1=1 --"}, []),
        ({"x') OR 1=1 --": 1}, []),
    ],
)
def test_worked_examples(catalog: Catalog, filter_: dict[str, Any], expected: list[str]) -> None:
    put(catalog, "de24", {"year": 2024, "region": "DE", "draft": True})
    put(catalog, "at23", {"year": 2023, "region": "AT", "draft": False})
    put(catalog, "text", {"year": "2024"})
    put(catalog, "none", {})
    rows = {
        row["row"]: row["name"] for row in catalog.database.read().execute("SELECT row, name FROM documents")
    }
    assert [rows[row] for row in found(catalog, filter_)] == expected


def test_a_number_is_not_the_name_that_it_spells(catalog: Catalog) -> None:
    row = put(catalog, "2024", {})
    assert found(catalog, {"$document": 2024}) == []
    assert found(catalog, {"$document": {"$in": [2024, "2024"]}}) == [row]
    assert found(catalog, {"$document": {"$in": [2024, "x"]}}) == []


def nested(depth: int) -> dict[str, Any]:
    return {"$and": [nested(depth - 1)]} if depth else {"a": 1}


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        ([], r"A filter is \[\]; expected an object"),
        ("year", 'A filter is "year"'),
        (None, "A filter is null"),
        ({"$and": {}}, "expected a list of one or more filters"),
        ({"$or": []}, "expected a list of one or more filters"),
        ({"$and": [1]}, "A filter is 1"),
        ({"$not": {"a": 1}}, r"\$not is not an operator here"),
        ({"$DOCUMENT": "a"}, "is not an operator here"),
        ({"year": {}}, "The filter on 'year' is empty"),
        ({"year": {"$regex": "a"}}, r"\$regex on 'year' is not an operator; expected one of \$eq"),
        ({"year": {"gte": 1}}, "gte on 'year' is not an operator"),
        ({"year": None}, "has null; expected a text"),
        ({"year": [1]}, r"has \[1\]; expected a text"),
        ({"year": {"$in": 1}}, "expected a list of values"),
        ({"year": {"$in": "abc"}}, "expected a list of values"),
        ({"year": {"$in": [1, None]}}, "has null; expected a text"),
        ({"year": {"$gt": {"$gt": 1}}}, "expected a text"),
        ({"year": float("nan")}, "has NaN; expected a text, finite number"),
        ({"year": {"$lt": float("inf")}}, "finite number"),
        ({"year": 2**63}, "has 9223372036854775808"),
        ({"year": {"$in": [-(2**70)]}}, "expected a text, finite number"),
        ({"a": "half \ud800"}, "expected a text"),
        ({"a": "nul \0"}, "expected a text"),
        ({"half \ud800": 1}, "expected a name without NUL"),
        ({"nul \0": 1}, "expected a name without NUL"),
        ({5: 1}, "expected a name"),
        ({"a": {(1, 2): object()}}, r"\(1, 2\) on 'a' is not an operator"),
        (nested(17), "nested more than 16 deep"),
        (nested(500), "nested more than 16 deep"),
    ],
)
def test_malformed_filters_are_refused(catalog: Catalog, filter_: Any, message: str) -> None:
    with pytest.raises(InvalidFilter, match=message):
        filter_to_sql(filter_)
    with pytest.raises(InvalidFilter):
        catalog.documents.matching(CORPUS, filter_)


def test_large_filters_work_up_to_the_limit_and_are_refused_beyond(catalog: Catalog) -> None:
    row = put(catalog, "a", {"n": 7, "t": "x"})
    assert found(catalog, nested(16) | {"n": 7}) == []
    assert found(catalog, {"n": {"$in": list(range(50_000))}}) == [row]  # a long list is one comparison
    assert found(catalog, {"n": {"$nin": [str(n) for n in range(50_000)]}}) == [row]
    most: dict[str, Any] = {"$or": [{"n": n} for n in range(256)]}
    assert found(catalog, most) == [row]
    deep: dict[str, Any] = most
    for _ in range(15):
        deep = {"$and": [deep]}
    assert found(catalog, deep) == [row]
    with pytest.raises(InvalidFilter, match=r"more than 256 comparisons; use \$in"):
        filter_to_sql({"$or": [{"n": n} for n in range(257)]})
    with pytest.raises(InvalidFilter, match="more than 256 comparisons"):
        filter_to_sql({"$document": {"$ne": "x"}, "$and": [{"$document": str(n)} for n in range(600)]})


def test_no_value_or_key_is_ever_part_of_the_sql() -> None:
    hostile = "x' OR 1=1; DROP TABLE documents; --"
    condition, values = filter_to_sql({hostile: hostile, "$document": {"$in": [hostile]}})
    assert "DROP" not in condition
    assert len(values) == condition.count("?") == 3
