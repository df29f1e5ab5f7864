"""Make documents of one form about different subjects, and questions that only one of them answers.

The public sets ask about a passage that names its subject. People's own documents name it in the title, the heading or
one sentence before, and a hundred of them have the same form. `forms.json` says what such documents say, and how people
ask; names, values and wordings are drawn with a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.evidence.cases import Case, LabelledPassage, Span
from training.evidence.names import CITIES, COMPANIES, COUNTRIES, MONTHS, PEOPLE, PRODUCTS, name_of
from training.evidence.names import FORMS as NAMED_FORMS


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that a document says about its subject, and how people ask for it.

    `value` is the kind of value and its bounds. `said` are sentences with {s} for the subject or a pronoun and {v} for
    the value; `asked` have {s} for the subject's name.
    """

    key: str
    kind: tuple[Any, ...]
    said: tuple[str, ...]
    asked: tuple[str, ...]

    def value(self, rng: random.Random) -> str:
        """Draw a value."""
        kind, *bounds = self.kind
        if kind == "number":
            return f"{rng.randint(bounds[0], bounds[1])}{bounds[2]}"
        if kind == "decimal":
            return f"{rng.randint(bounds[0], bounds[1])}.{rng.randint(1, 9)} {bounds[2]}"
        if kind == "money":
            amount = rng.randint(*bounds)
            return rng.choice(("{:,} euros", "${:,}", "EUR {}", "£{:,}", "{} dollars")).format(amount)
        if kind == "date":
            day, month, year = rng.randint(1, 28), rng.choice(MONTHS), rng.randint(1996, 2027)
            return rng.choice(
                (f"{day} {month} {year}", f"{month} {year}", f"{month} {day}, {year}", str(year))
            )
        if kind == "time":
            hour, minute = rng.randint(6, 20), rng.choice(("00", "15", "30", "45"))
            spoken = f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"
            return rng.choice((f"{hour}:{minute}", spoken))
        drawn: str = rng.choice({"person": PEOPLE, "city": CITIES}.get(kind, bounds))
        return drawn


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of subject: how it is named, what its documents are called and say."""

    kind: str
    names: tuple[str, ...]
    titles: tuple[str, ...]
    pronouns: tuple[str, ...]
    opening: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    def name(self, rng: random.Random) -> str:
        """Draw the name of a subject."""
        return rng.choice(self.names).format(
            product=rng.choice(PRODUCTS),
            person=rng.choice(PEOPLE),
            city=rng.choice(CITIES),
            company=rng.choice(COMPANIES),
            country=rng.choice(COUNTRIES),
            year=rng.randint(2009, 2027),
            period=rng.choice(
                (f"Q{rng.randint(1, 4)} {rng.randint(2015, 2026)}", str(rng.randint(2010, 2026)))
            ),
            title=name_of(rng),
            code=f"{''.join(rng.choices('ABCDEFGHKLMNPRSTWX', k=rng.randint(1, 3)))}-{rng.randint(100, 99_999)}"
            + rng.choice(("", "", f"-{rng.choice('ABC')}")),
        )


def _forms() -> tuple[Form, ...]:
    attributes = {
        name: tuple(
            Attribute(a["key"], tuple(a["value"]), tuple(a["said"]), tuple(a["asked"])) for a in listed
        )
        for name, listed in NAMED_FORMS["attributes"].items()
    }
    return tuple(
        Form(
            kind=one["kind"],
            names=tuple(one["names"]),
            titles=tuple(one["titles"]),
            pronouns=tuple(one["pronouns"]),
            opening=tuple(one["opening"]),
            attributes=attributes[one["attributes"]],
        )
        for one in NAMED_FORMS["forms"]
    )


FORMS = _forms()


def record_cases(rng: random.Random, count: int) -> Iterator[Case]:
    """Yield cases over documents of one form."""
    for _ in range(count):
        yield _case(rng.choice(FORMS), rng)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a passage tells: attributes of the first subject, in tables and sections of all; `asked` is the answer."""

    form: Form
    subjects: Sequence[str]
    attributes: Sequence[Attribute]
    asked: Attribute | None


def _case(form: Form, rng: random.Random) -> Case:
    attributes = rng.sample(form.attributes, rng.randint(3, min(7, len(form.attributes))))
    asked = rng.choice(attributes)
    subjects = _subjects(form, rng)
    style = rng.choice((_prose, _prose, _prose, _without_name, _without_name, _keys, _table, _sections))
    question = rng.choice(asked.asked).format(s=subjects[0])
    question = question[0].upper() + question[1:]
    absent = rng.random()
    others = [
        replace(style(Facts(form, [s], attributes, None), rng), about=False)
        for s in subjects[1 : rng.randint(2, 3)]
    ]
    if absent < 0.2:  # nothing is said of this
        other = [a for a in form.attributes if a not in attributes]
        if other:
            question = rng.choice(rng.choice(other).asked).format(s=subjects[0])
            shown = replace(style(Facts(form, subjects[:1], attributes, None), rng), about=True)
            return Case(question, (shown, *others))
    if absent < 0.4:  # it is said of others
        return Case(question, tuple(others))
    if style in (_table, _sections):
        return Case(question, (style(Facts(form, subjects, attributes, asked), rng),))
    return Case(question, (style(Facts(form, subjects[:1], attributes, asked), rng), *others))


def _subjects(form: Form, rng: random.Random) -> list[str]:
    """Draw four names; often the others share words with the first, as Q2 of a company with its Q3."""
    first, drawn = form.name(rng), {form.name(rng) for _ in range(60)}
    drawn.discard(first)
    others = rng.sample(sorted(drawn), len(drawn))
    if first[-2:].strip("-ABC").isdigit() and rng.random() < 0.8:  # codes differ in a digit or two
        return [first, *(_near_code(first, rng) for _ in "123")]
    if rng.random() < 0.6:
        others.sort(key=lambda name: -len(set(name.split()) & set(first.split())))
    return [first, *others[:3]]


def _near_code(code: str, rng: random.Random) -> str:
    digits = [at for at, character in enumerate(code) if character.isdigit()]
    changed = rng.sample(digits, rng.choice((1, 1, 2)))
    return "".join(
        str((int(c) + rng.randint(1, 9)) % 10) if at in changed else c for at, c in enumerate(code)
    )


def _prose(facts: Facts, rng: random.Random) -> LabelledPassage:
    """Name the subject in the first sentence; pronouns follow."""
    subject, pronoun = facts.subjects[0], rng.choice(facts.form.pronouns)
    named = rng.random() < 0.3
    lines: list[tuple[str, Span | None]] = [
        (rng.choice(facts.form.opening).format(s=_opening(subject)), None)
    ]
    for attribute in facts.attributes:
        said = rng.choice(attribute.said)
        who = _opening(subject) if named and rng.random() < 0.4 else pronoun
        lines.append(_said(said, who, attribute.value(rng), attribute is facts.asked))
    place = (
        _title(facts.form, subject, rng)
        if rng.random() < 0.6
        else rng.choice(("", "notes", "document 12", "info"))
    )
    return _passage(place, lines, rng.choice((" ", " ", "\n")))


def _without_name(facts: Facts, rng: random.Random) -> LabelledPassage:
    """Name the subject in the title only."""
    lines = [
        _said(rng.choice(a.said), rng.choice(facts.form.pronouns), a.value(rng), a is facts.asked)
        for a in facts.attributes
    ]
    return _passage(_title(facts.form, facts.subjects[0], rng), lines, rng.choice((" ", "\n")))


def _keys(facts: Facts, rng: random.Random) -> LabelledPassage:
    """Write a line for each attribute: "Weight: 1.3 kg"."""
    bullet = rng.choice(("", "- ", "- "))
    lines: list[tuple[str, Span | None]] = []
    if rng.random() < 0.4:
        lines.append(
            (
                f"{rng.choice(('Name', facts.form.kind.capitalize(), 'Subject'))}: {_bare(facts.subjects[0])}",
                None,
            )
        )
        place = rng.choice(("", facts.form.kind, "form 7"))
    else:
        place = _title(facts.form, facts.subjects[0], rng)
    for attribute in facts.attributes:
        value = attribute.value(rng)
        head = f"{bullet}{attribute.key}: "
        lines.append(
            (head + value, (len(head), len(head) + len(value)) if attribute is facts.asked else None)
        )
    return _passage(place, lines, "\n")


def _table(facts: Facts, rng: random.Random) -> LabelledPassage:
    """Write a row for each subject, spelled as the question path spells rows."""
    lines: list[tuple[str, Span | None]] = []
    head = rng.choice(("Name", facts.form.kind.capitalize(), "", ""))
    for subject in rng.sample(list(facts.subjects), len(facts.subjects)):
        text, span = f"{head} {_bare(subject)}".strip(), None
        for number, attribute in enumerate(facts.attributes):
            value = attribute.value(rng)
            text += (": " if not number else "; ") + f"{attribute.key} "
            if attribute is facts.asked and subject == facts.subjects[0]:
                span = (len(text), len(text) + len(value))
            text += value
        lines.append((text, span))
    place = rng.choice(("", f"{facts.form.kind}s", f"list of {facts.form.kind}s", "overview"))
    return replace(_passage(place, lines, "\n"), rows=True)


def _sections(facts: Facts, rng: random.Random) -> LabelledPassage:
    """Write a section for each subject, its name as the heading."""
    lines: list[tuple[str, Span | None]] = []
    few = (
        facts.attributes[:3]
        if facts.asked is None or facts.asked in facts.attributes[:3]
        else [*facts.attributes[:2], facts.asked]
    )
    for subject in rng.sample(list(facts.subjects)[:3], min(3, len(facts.subjects))):
        lines.append((f"## {_bare(subject).capitalize()}", None))
        for attribute in few:
            said = rng.choice(attribute.said)
            right = attribute is facts.asked and subject == facts.subjects[0]
            lines.append(_said(said, rng.choice(facts.form.pronouns), attribute.value(rng), right))
    return _passage(rng.choice(("", f"our {facts.form.kind}s", "handbook")), lines, "\n")


def _said(said: str, who: str, value: str, answers: bool) -> tuple[str, Span | None]:
    text = said.format(s=who, v="\0")
    text = text[0].upper() + text[1:]
    at = text.index("\0")
    text = text.replace("\0", value if at else value[0].upper() + value[1:])
    return text, (at, at + len(value)) if answers else None


def _passage(place: str, lines: Sequence[tuple[str, Span | None]], between: str) -> LabelledPassage:
    text, units, answering, spans = "", list[Span](), list[int](), list[Span]()
    for line, span in lines:
        if not line.startswith("#"):
            if span:
                answering.append(len(units))
                spans.append((span[0] + len(text), span[1] + len(text)))
            units.append((len(text), len(text) + len(line)))
        text += line + between
    return LabelledPassage(
        place, text.rstrip(), tuple(units), frozenset(answering), tuple(spans), about=True if spans else None
    )


def _title(form: Form, subject: str, rng: random.Random) -> str:
    title = rng.choice(form.titles).format(n=_bare(subject)).replace(" in ", " ")
    return title.lower() if rng.random() < 0.5 else title


def _bare(subject: str) -> str:
    return subject.removeprefix("the ")


def _opening(subject: str) -> str:
    return subject[0].upper() + subject[1:]
