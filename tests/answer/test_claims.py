"""The values of a claim, and the edition, region and subject of a document."""

import pytest

from rag.answer.conflicts.editions import edition_of, is_before, other_subject
from rag.answer.conflicts.regions import regions_of
from rag.answer.conflicts.values import asks_when, differing, periods_of, values_of
from rag.types import Document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("within 60 days, above 1,500 EUR", [("day", 60), ("EUR", 1500)]),
        ("90 minutes or two hours", [("s", 5400), ("s", 7200)]),
        ("three to twelve months", [("month", 12)]),
        ("from the fourth calendar day", [("nth day", 4)]),
        ("$5 million, 45 pence and 20 per cent", [("USD", 5e6), ("GBP", 0.45), ("%", 20)]),
        ("by 31 March or June 30", [("date", "03-31"), ("date", "06-30")]),
        ("In 2025 it was 1,870 EUR", [("EUR", 1870)]),
        ("Der Preis beträgt 1.500,50 Euro und 3,5 Prozent.", [("EUR", 1500.5), ("%", 3.5)]),
        (
            "Die Frist ist der 15. März, zwei Wochen oder 5 Mio. Euro.",
            [("date", "03-15"), ("day", 14), ("EUR", 5e6)],
        ),
        (
            "Le prix est de 1 500,50 € pour 30 jours, soit 12 pour cent.",
            [("EUR", 1500.5), ("day", 30), ("%", 12)],
        ),
        (
            "El plazo es de tres meses y cuesta 1.200 euros o dos millones de euros.",
            [("month", 3), ("EUR", 1200), ("EUR", 2e6)],
        ),
        ("It takes 1.500 m, once it is 1.500,50 EUR.", [("m", 1.5), ("EUR", 1500.5)]),
        ("Tiene 3.500 habitantes", [("habitant", 3500)]),
        ("§ 5 Abs. 2 S. 1", []),
        ("siehe Abschnitt 4, der Teil ist nicht in 12", []),
        ("see section 4, part TW-4410, a 10-Q, at 10:30, 12", []),
    ],
)
def test_values_are_read_with_their_units(text: str, expected: list[tuple[str, float | str]]) -> None:
    assert [(value.unit, value.amount) for value in values_of(text)] == expected


def test_dates_with_a_year_are_values_only_where_asked_for() -> None:
    text = "Signed on 3 May 2026, in force since 2025-01-31; founded 1998."

    assert periods_of(text) == ["2026-05-03", "2025-01-31", "1998"]
    assert values_of(text) == []
    assert [value.amount for value in values_of(text, dates=True)] == periods_of(text)


def test_dates_of_other_languages_are_dates() -> None:
    for text in ("am 3. Mai 2026", "03.05.2026", "le 3 mai 2026", "el 3 de mayo de 2026"):
        assert periods_of(text) == ["2026-05-03"], text
    assert [asks_when(one) for one in ("Bis wann?", "Quand part-il ?", "¿Cuándo?", "Wie viel?")] == [
        True
    ] * 3 + [False]


def test_each_side_must_lack_a_value_of_the_other() -> None:
    nine, eight, ten = "nine hours, ten hours", "eight hours, ten hours", "ten hours"

    mine, yours = differing(values_of(nine), values_of(eight))
    assert ([one.amount for one in mine], [one.amount for one in yours]) == ([9 * 3600], [8 * 3600])
    assert differing(values_of(nine), values_of(ten)) == ([], [])
    assert differing(values_of("31 March"), values_of("31 March 2026", dates=True)) == ([], [])


@pytest.mark.parametrize(
    ("name", "text", "metadata", "date", "version", "region"),
    [
        ("a-2026.md", "Text.", {}, "2026", (), ""),
        ("a-2026.md", "Valid from: 1 March 2026\nSupersedes the rule of 1999.", {}, "2026-03-01", (), ""),
        ("a-2026.md", "Valid from: 1 March 2026", {"date": "2026-07-09T10:00:00"}, "2026-07-09", (), ""),
        ("a.md", "It was founded in 1999 in Leeds.", {"created": "2000-01-01"}, "", (), ""),
        ("minutes_2026-02-12.txt", "Present: all.", {}, "2026-02-12", (), ""),
        ("manual-v3.1.pdf", "Text.", {}, "", (3, 1), ""),
        ("manual.pdf", "Manual\nVersion 3.1, May 2025", {}, "2025-05", (3, 1), ""),
        ("leave-uk.md", "Text.", {}, "", (), "United Kingdom"),
        ("leave.md", "# Leave in Germany", {}, "", (), "Germany"),
        ("leave.md", "Text.", {"region": "de"}, "", (), "Germany"),
    ],
)
def test_a_document_says_which_edition_it_is(
    name: str, text: str, metadata: dict[str, str], date: str, version: tuple[int, ...], region: str
) -> None:
    edition = edition_of(Document("id", name, 1, text, metadata=metadata))

    assert (edition.date, edition.version) == (date, version)
    assert edition.regions == frozenset(filter(None, [region]))


def test_only_certain_dates_are_ordered() -> None:
    assert is_before("2025", "2026-03-01")
    assert not is_before("2026-03-01", "2025")
    assert not is_before("2026", "2026-03-01")  # perhaps later that year
    assert not is_before("", "2026")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("petrel-s2-guide.txt", "petrel-s3-manual.pdf", True),
        ("2023-Q3-INTC.pdf", "2023-Q3-MSFT.pdf", True),
        ("kitchen-manual.md", "garden-manual.md", True),
        ("2023-Q1-AAPL.pdf", "2023-Q3-AAPL.pdf", True),
        ("policies/leave-uk.md", "old/leave-us.docx", False),
        ("plan-v1.md", "plan-v2-final.md", False),
        ("datasheet.pdf", "standard.md", False),
    ],
)
def test_names_tell_subjects_apart(first: str, second: str, expected: bool) -> None:
    assert other_subject(first, second) == other_subject(second, first) == expected


def test_regions_are_named_once() -> None:
    assert regions_of("staff in Wales and Scotland, and the U.S. office") == {
        "United Kingdom",
        "United States",
    }
    assert regions_of("Tell us whether you walk") == frozenset()
