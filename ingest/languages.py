"""Choose the embedding model of a new corpus by the language of what comes first, and say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from rag.errors import NotFound
from rag.models.multilingual.prepare import FINGERPRINT, is_available
from rag.recipe import MULTILINGUAL, TRUNK
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.store.jobs import Job
from rag.text.languages import mostly_not_english

# Documents of a job whose language is looked at.
_SAMPLE = 20


def choose_embedder(catalog: Catalog, generation: Generation, texts: Sequence[str]) -> tuple[bool, str]:
    """Let the multilingual model serve a corpus that is still empty, if most of the first texts is not English.

    Returns:
        Whether it serves from now on; and what to tell whoever ingests, or "".
    """
    corpus = generation.corpus
    if generation.recipe.model != TRUNK or not mostly_not_english(texts):
        return False, ""
    if not is_available() or catalog.generations.extent(generation).documents:
        return False, _advice(corpus)
    recipe = replace(generation.recipe, embedder=FINGERPRINT, model=MULTILINGUAL)
    chosen = catalog.generations.begin(corpus, recipe)
    if not catalog.generations.swap(chosen):  # another process put a document in meanwhile
        catalog.generations.prune(chosen)
        return False, _advice(corpus)
    catalog.generations.prune(generation)
    return True, _choice(corpus)


def remark_on_job(catalog: Catalog, job: Job) -> str:
    """Say which embedding model was chosen by a finished job's files, or would suit them better; "" otherwise."""
    if job.finished is None:
        return ""
    try:
        serving = catalog.generations.serving(job.corpus)
    except NotFound:  # deleted since
        return ""
    if serving.recipe.model == MULTILINGUAL and job.created <= serving.created <= job.finished:
        return _choice(job.corpus)
    if serving.recipe.model == TRUNK and mostly_not_english(_texts(catalog, job)):
        return _advice(job.corpus)
    return ""


def _texts(catalog: Catalog, job: Job) -> Iterator[str]:
    added = [file.name for file in job.files if file.state in ("added", "updated")]
    for name in added[:_SAMPLE]:
        with suppress(NotFound):  # deleted since
            yield catalog.documents.get(job.corpus, name).text


def _choice(corpus: str) -> str:
    """Say that the multilingual model was chosen, and how to have the other."""
    return (
        f"Most of {corpus!r} is not in English, so the model `{MULTILINGUAL}` embeds it. To use the English one "
        f"instead, run {_swap(corpus, TRUNK)}; IBID_EMBEDDER={TRUNK} makes it the choice for every new corpus."
    )


def _advice(corpus: str) -> str:
    """Say how a corpus that the trunk embeds gets the model that knows other languages."""
    first = "" if is_available() else "`pip install 'ibid[multilingual]'`, then "
    return (
        f"Most of what was added to {corpus!r} is not in English, but its embedding model knows only English. "
        f"To find it by meaning, run {first}{_swap(corpus, MULTILINGUAL)}."
    )


def _swap(corpus: str, model: str) -> str:
    build = f"`ibid generations build --corpus {corpus} --embedder {model}`"
    return f"{build} and `ibid generations swap --corpus {corpus}`"
