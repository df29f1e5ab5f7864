"""Choose the embedding model of a new corpus by the language of what comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.models.multilingual.prepare import FINGERPRINT, is_available
from rag.recipe import MULTILINGUAL, TRUNK
from rag.store.catalog import Catalog
from rag.store.generations import Generation
from rag.text.languages import mostly_not_english


def choose_embedder(catalog: Catalog, generation: Generation, texts: Sequence[str]) -> tuple[bool, str]:
    """Let the multilingual model serve a corpus that is still empty, if most of the first texts is not English.

    Returns:
        Whether it serves from now on; and what to tell whoever ingests, or "".
    """
    corpus, begun = generation.corpus, catalog.changes.last(generation.id) > 0
    if begun or generation.recipe.model != TRUNK or not mostly_not_english(texts):
        return False, ""
    if not is_available():
        return False, (
            f"Most of {corpus!r} is not in English, and its embedding model knows English only. "
            "`pip install 'ibid[multilingual]'`, then "
            f"`ibid generations build --corpus {corpus} --embedder {MULTILINGUAL}` and "
            f"`ibid generations swap --corpus {corpus}`, to find it by meaning."
        )
    recipe = replace(generation.recipe, embedder=FINGERPRINT, model=MULTILINGUAL)
    chosen = catalog.generations.begin(corpus, recipe)
    if not catalog.generations.swap(chosen):  # another process put a document in meanwhile
        catalog.generations.prune(chosen)
        return False, ""
    catalog.generations.prune(generation)
    return True, (
        f"Most of {corpus!r} is not in English: the model `{MULTILINGUAL}` embeds it. To have the English one, "
        f"`ibid generations build --corpus {corpus} --embedder {TRUNK}` and "
        f"`ibid generations swap --corpus {corpus}`; IBID_EMBEDDER={TRUNK} makes it the choice for every new corpus."
    )
