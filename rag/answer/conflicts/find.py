"""Show where sources disagree: claims of other documents whose values differ from those of the answer's own
evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answer.conflicts.claims import Claim, Difference, difference
from rag.answer.conflicts.editions import Edition, edition_of, is_before, other_subject, same_series
from rag.answer.conflicts.values import asks_when
from rag.answer.sentences import sentences_of
from rag.answer.verify import check_citations, current_document
from rag.models.embed import Embedder
from rag.store.catalog import Catalog
from rag.text.injection import sign_of_injection
from rag.types import Citation, Conflict, Context, Draft

# Most conflicts shown with an answer.
MOST_CONFLICTS = 3
# Most pairs of sentences to encode: those that share most words.
MOST_COMPARED = 6
# Two sentences say the same kind of thing from this sum of term overlap and cosine on.
ALIKE_FROM = 1.05
# A document's name, and an offset in it.
Place = tuple[str, int]
_OPENING = {"dates": "By date", "regions": "By region", "versions": "By version", "values": "They differ"}


@dataclass(frozen=True, slots=True)
class Side:
    """What one source says, and its edition."""

    claim: Claim
    said: str
    edition: Edition

    @property
    def date(self) -> str:
        """The time that the claim itself is about, else its document's date; "" if neither is known."""
        return next(iter(self.claim.periods)) if len(self.claim.periods) == 1 else self.edition.date


def find_conflicts(
    context: Context, citations: Sequence[Citation], corpus: str, catalog: Catalog, embedder: Embedder
) -> tuple[Conflict, ...]:
    """Return at most MOST_CONFLICTS conflicts between what an answer quotes and the rest of its evidence, verified.

    Args:
        citations: the answer's; one side of a conflict is a sentence that they quote, so conflicts concern what is
            asked.

    Raises:
        StaleEvidence: if a document of a conflict changed since the search.
    """
    # By the quoted claim and what distinguishes it from the others
    gathered: dict[tuple[Place, str], list[Side]] = {}
    for quoted, other, unlike in _alike(_different(context, citations), embedder):
        first, second = (
            Side(one, said, edition_of(current_document(one.chunk, corpus, catalog)))
            for one, said in ((quoted, unlike.first), (other, unlike.second))
        )
        sides = gathered.setdefault((quoted.place, kind_of(first, second)), [first])
        if other.document not in {side.claim.document for side in sides}:
            sides.append(second)
    shown, seen = list[Conflict](), list[set[Place]]()
    # The widest first, so that what says part of it is left out
    for (_, kind), sides in sorted(gathered.items(), key=lambda one: -len(one[1])):
        members = {side.claim.place for side in sides}
        if len(shown) < MOST_CONFLICTS and not any(members <= others for others in seen):
            draft = _written(kind, newest_first(kind, sides))
            shown.append(Conflict(kind, draft.text, check_citations(draft, context, corpus, catalog)))
            seen.append(members)
    return tuple(shown)


def kind_of(first: Side, second: Side) -> str:
    """Return what distinguishes two sources: "regions", "versions" or "dates"; "values" if nothing does."""
    own = [_regions(side) for side in (first, second)]
    if all(own) and not own[0] & own[1]:
        return "regions"
    one, other = first.edition, second.edition
    numbered = same_series(one.name, other.name) and one.version and other.version
    if one.replaces(other) or other.replaces(one) or (numbered and one.version != other.version):
        return "versions"
    apart = is_before(first.date, second.date) or is_before(second.date, first.date)
    return "dates" if apart else "values"


def newest_first(kind: str, sides: Sequence[Side]) -> list[Side]:
    """Order the sides of a conflict, newest first; undated ones keep their order."""
    if all(side.date for side in sides):
        return sorted(sides, key=lambda side: side.date, reverse=True)
    if kind == "versions" and all(side.edition.version for side in sides):
        return sorted(sides, key=lambda side: side.edition.version, reverse=True)
    if kind == "versions":
        return sorted(sides, key=lambda side: any(one.edition.replaces(side.edition) for one in sides))
    return list(sides)


def _different(context: Context, citations: Sequence[Citation]) -> Iterator[tuple[Claim, Claim, Difference]]:
    """Yield each claim that the answer quotes with each differing claim of another document, once."""
    dates = asks_when(context.question)
    claims = [
        Claim(sentence, dates)
        for evidence in context.evidence
        for sentence in sentences_of(evidence)
        if not sentence.text.endswith("?")
    ]
    quoted = [one for one in claims if any(one.overlaps(citation) for citation in citations)]
    before = set[Place]()
    for one in quoted:
        before.add(one.place)
        for other in claims:
            if other.document == one.document or other.place in before:
                continue
            unlike = difference(one, other)
            if unlike and not other_subject(one.document, other.document):
                yield one, other, unlike


def _alike(
    pairs: Iterator[tuple[Claim, Claim, Difference]], embedder: Embedder
) -> list[tuple[Claim, Claim, Difference]]:
    """Keep the pairs that say the same kind of thing, the most similar first."""
    listed = [pair for pair in pairs if not any(sign_of_injection(one.text, strong=True) for one in pair[:2])]
    listed = sorted(listed, key=lambda pair: -pair[2].overlap)[:MOST_COMPARED]
    texts = list(dict.fromkeys(one.text for pair in listed for one in pair[:2]))
    if not texts:
        return []
    vectors = dict(zip(texts, embedder.encode(texts), strict=True))
    likeness = [
        unlike.overlap + float(vectors[one.text] @ vectors[other.text]) for one, other, unlike in listed
    ]
    order = sorted(range(len(listed)), key=lambda at: -likeness[at])
    return [listed[at] for at in order if likeness[at] >= ALIKE_FROM]


def _regions(side: Side) -> frozenset[str]:
    return side.claim.regions or side.edition.regions


def _label(kind: str, side: Side) -> str:
    if kind == "regions":
        return " and ".join(sorted(_regions(side)))
    if kind == "versions" and side.edition.version:
        return "version " + ".".join(map(str, side.edition.version))
    return side.date if kind in ("versions", "dates") and side.date else side.edition.base_name


def _written(kind: str, sides: Sequence[Side]) -> Draft:
    """Write what the sides say on one line, each part cited."""
    text, citations = f"{_OPENING[kind]}: ", []
    for side in sides:
        sentence = side.claim.sentence
        hit = sentence.evidence.hit
        citations.append(
            Citation(
                answer_start=len(text),
                answer_end=len(text) + len(side.said),
                label=sentence.evidence.label,
                document=hit.chunk.document,
                version=hit.chunk.version,
                page=hit.page,
                start=sentence.start,
                end=sentence.end,
                quote=sentence.text,
                verified=False,
            )
        )
        text += f"{side.said} ({_label(kind, side)}); "
    return Draft(f"{text[:-2]}.", tuple(citations), 1.0, verbatim=False)
