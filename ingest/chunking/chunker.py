"""What all chunkers share: from text to verified pieces, and from documents to llama-index nodes.

Importing this module imports llama-index, which takes 2 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.schema import BaseNode, Document, NodeRelationship, TextNode
from pydantic import PrivateAttr

from ingest.chunking.ruler import Ruler
from ingest.chunking.segment import Range, merge_tiny
from ingest.chunking.units import Contexts, Unit, make_units
from rag.models.embed import Embedder
from rag.recipe import CHUNKER_VERSION

_TINY_SHARE = 8  # a chunk below an eighth of `chunk_tokens` is better joined to a neighbour
_RECOUNT_MARGIN = 8  # tokens: a slice's own tokenisation differs by less where it is cut between words

Cutter = Callable[[int, int], list[Range]]  # segments the units first to last: ranges counted from `first`


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk before it has a document version."""

    start: int
    end: int
    context: str = ""  # the headings above it, then the header row of a split table; read by the indexes only
    vector: np.ndarray | None = None  # (dim,) unit vector of context and text where the chunker made it


class Chunker(NodeParser):
    """Split text into pieces; as a `NodeParser`, documents into nodes.

    A node's embedded text is its context and its text; a language model is shown the text alone.
    """

    name: ClassVar[str]
    chunk_tokens: int

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder, **settings: Any) -> None:
        super().__init__(**settings)
        self._embedder = embedder

    @property
    def fingerprint(self) -> str:
        """Name everything that decides where a text is cut; another name is another generation."""
        own = self.model_dump(include=set(type(self).model_fields) - set(NodeParser.model_fields))
        settings = ",".join(f"{key}={value}" for key, value in sorted(own.items()))
        return f"{self.name}({settings}) v{CHUNKER_VERSION} {self._embedder.fingerprint}"

    def split(self, text: str) -> list[Piece]:
        """Return the text's pieces in order; every character that is not white space lies in one.

        A piece has at most `chunk_tokens` tokens, and with its context at most the embedder's maximum,
        counted by tokenising it alone. It neither begins nor ends with white space.
        """
        ruler = Ruler(text, self._embedder)
        contexts = Contexts(self._embedder, self.chunk_tokens)
        return [piece for chunk in self._chunks(ruler, contexts) for piece in self._verified(ruler, chunk)]

    def _chunks(self, ruler: Ruler, contexts: Contexts) -> Iterator[Unit]:
        """Yield the chunks in order, their lengths still to be verified."""
        units = self._units(ruler, contexts)
        tokens, limits = [unit.tokens for unit in units], [unit.limit for unit in units]
        cut = self._cutter(ruler, units)
        for sections in _runs(units):
            ranges = [(first + a, first + b) for first, last in sections for a, b in cut(first, last)]
            for first, last in merge_tiny(ranges, tokens, limits, tiny=self.chunk_tokens // _TINY_SHARE):
                yield replace(units[first], end=units[last - 1].end, tokens=sum(tokens[first:last]))

    def _units(self, ruler: Ruler, contexts: Contexts) -> list[Unit]:
        return make_units(ruler, contexts)

    def _cutter(self, ruler: Ruler, units: Sequence[Unit]) -> Cutter:
        """Return what segments one section of the units."""
        raise NotImplementedError

    def _verified(self, ruler: Ruler, chunk: Unit) -> Iterator[Piece]:
        """Yield the chunk as a piece, halved until the embedder's tokenizer agrees that it fits."""
        start, end = ruler.strip(chunk.start, chunk.end)
        if start == end:
            return
        exact = chunk.tokens + _RECOUNT_MARGIN <= chunk.limit and ruler.is_between_words(start, end)
        if exact or end - start == 1 or self._fits(ruler, ruler.text[start:end], chunk.context):
            yield Piece(start, end, chunk.context)
            return
        tokens = ruler.count(start, end)
        middle = (start + end) // 2
        halves = (
            ruler.divide(start, end, (tokens + 1) // 2) if tokens > 1 else [(start, middle), (middle, end)]
        )
        for first, last in halves:
            half = replace(chunk, start=first, end=last, tokens=ruler.count(first, last))
            yield from self._verified(ruler, half)

    def _fits(self, ruler: Ruler, text: str, context: str) -> bool:
        if ruler.real_count(text) > min(self.chunk_tokens, self._embedder.max_tokens):
            return False
        return not context or ruler.real_count(f"{context}\n{text}") <= self._embedder.max_tokens

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        return [node for parent in nodes for node in self._nodes(parent)]

    def _nodes(self, parent: BaseNode) -> Iterator[BaseNode]:
        text = parent.get_content()
        for piece in self.split(text):
            yield TextNode(
                text=text[piece.start : piece.end],
                start_char_idx=piece.start,
                end_char_idx=piece.end,
                metadata={"context": piece.context} if piece.context else {},
                excluded_llm_metadata_keys=["context", *parent.excluded_llm_metadata_keys],
                excluded_embed_metadata_keys=list(parent.excluded_embed_metadata_keys),
                metadata_template="{value}",
                text_template="{metadata_str}\n{content}",
                relationships={NodeRelationship.SOURCE: parent.as_related_node_info()},
            )

    def _postprocess_parsed_nodes(
        self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]
    ) -> list[BaseNode]:
        ours = [node for node in nodes if isinstance(node, TextNode)]
        spans = [(node.start_char_idx, node.end_char_idx) for node in ours]
        linked = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, (start, end) in zip(ours, spans, strict=True):  # it searched for text that may occur twice
            node.start_char_idx, node.end_char_idx = start, end
        return linked


def _runs(units: Sequence[Unit]) -> Iterator[list[Range]]:
    """Yield runs of units that may share a chunk, each as its sections; a unit that is alone is a run."""
    run: list[Range] = []
    for at, unit in enumerate(units):
        apart = unit.alone or (at > 0 and units[at - 1].alone)
        if run and apart:
            yield run
            run = []
        if run and not unit.opens:
            run[-1] = (run[-1][0], at + 1)
        else:
            run.append((at, at + 1))
    if run:
        yield run
