"""Ibid's parts for llama-index applications, and llama-index's documents for Ibid.

    IbidNodeParser    cuts documents into nodes, by any of the five chunkers
    IbidRetriever     searches a corpus
    IbidReranker, IbidReorder, IbidCompressor   postprocess the nodes of any retriever
    IbidQueryEngine   answers from a corpus, every citation checked
    ingest            puts what a llama-index reader returns into a corpus

Nothing else in Ibid imports llama-index, and this module leaves llama-index's global `Settings` alone. A `Service`
comes from `api.service.opened()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import (
    BaseNode,
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.schema import Document as LlamaDocument
from llama_index.core.utils import get_tqdm_iterable
from pydantic import Field, PrivateAttr

from api.service import Service
from ingest.chunking.chunkers import Chunker, make_chunker
from ingest.source import Outcome
from ingest.texts import from_reader
from rag.assemble import Limits, order_for_attention
from rag.models.compress import Compressor, load_compressor, should_compress
from rag.models.cross_encoder import load_cross_encoder
from rag.models.embed import Embedder, load_embedder
from rag.models.pack import PACKAGED
from rag.recipe import TRUNK
from rag.rerank import LateInteraction
from rag.store.filters import Filter
from rag.types import CHUNKER_VERSION, Answer, Chunk, Hit, whole_chunk

_PLACE_KEYS = ["version", "start", "end", "label"]  # metadata that is for programs, not for models
_ALL_TOKENS = 1_000_000  # more than the nodes of any answer


class IbidNodeParser(NodeParser):
    """Cuts documents into nodes by one of Ibid's chunkers. A node is a span of its document's text.

    A node's embedded text is its context (the headings above it, the header row of its table) and its text; a
    language model is shown the text without the context.

    Args:
        chunker: `packed`, `max_min`, `cluster`, `sentence_window` or `token`.
        chunk_tokens: most tokens of a node, in the embedder's own tokens.
        embedder: whose tokens count: `trunk`, or a sentence-transformers model by path or hub name.
        options: other keywords of the chunker's function, such as `overlap_tokens` of `token`.
        model: stands in for the embedder that is loaded by name.

    Raises:
        InvalidSettings: if there is no such chunker or option, or `chunk_tokens` is too small.
        ModelError: if the embedder cannot be loaded.
    """

    chunker: str = "packed"
    chunk_tokens: int = 254
    embedder: str = TRUNK
    options: dict[str, int | float] = Field(default_factory=dict)
    chunker_version: int = CHUNKER_VERSION  # a new one invalidates the caches of ingestion pipelines

    _split: Chunker = PrivateAttr()

    def __init__(self, chunker: str = "packed", *, model: Embedder | None = None, **fields: Any) -> None:
        if model is not None:
            fields["embedder"] = model.fingerprint
        super().__init__(**{"chunker": chunker, **fields})
        model = model or _embedder(self.embedder)
        self._split = make_chunker(self.chunker, model, chunk_tokens=self.chunk_tokens, **self.options)

    @classmethod
    def class_name(cls) -> str:
        return "IbidNodeParser"

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        parents = get_tqdm_iterable(nodes, show_progress, "Parsing nodes")
        return [node for parent in parents for node in self._nodes(parent)]

    def _nodes(self, parent: BaseNode) -> Iterator[BaseNode]:
        text, source = parent.get_content(), parent.as_related_node_info()
        for number, span in enumerate(self._split(text)):
            yield TextNode(
                id_=self.id_func(number, parent),
                text=text[span.start : span.end],
                start_char_idx=span.start,
                end_char_idx=span.end,
                metadata={"context": span.context} if span.context else {},
                excluded_llm_metadata_keys=["context", *parent.excluded_llm_metadata_keys],
                excluded_embed_metadata_keys=list(parent.excluded_embed_metadata_keys),
                metadata_template="{value}",
                text_template="{metadata_str}\n{content}",
                relationships={NodeRelationship.SOURCE: source},
            )

    def _postprocess_parsed_nodes(
        self, nodes: list[BaseNode], parent_doc_map: dict[str, LlamaDocument]
    ) -> list[BaseNode]:
        ours = [node for node in nodes if isinstance(node, TextNode)]
        spans = [(node.start_char_idx, node.end_char_idx) for node in ours]
        linked = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, (start, end) in zip(ours, spans, strict=True):  # it searched for text that may occur twice
            node.start_char_idx, node.end_char_idx = start, end
        return linked


class IbidRetriever(BaseRetriever):
    """Searches a corpus: by meaning and by words, fused, reranked and trimmed, as `ibid search` does.

    A node has the hit's text and score, its place as start_char_idx and end_char_idx, and the metadata document,
    version, start, end, and page and context where there are any.

    Args:
        k: most nodes.
        filter_: on the documents' metadata.

    Raises:
        NotFound, InvalidInput: when it retrieves, for an unknown corpus, a bad question or filter.
    """

    def __init__(
        self,
        service: Service,
        corpus: str,
        *,
        k: int = 5,
        filter_: Filter | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager)
        self._service, self._corpus, self._k, self._filter = service, corpus, k, filter_

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._service.pipeline.search(
            self._corpus, query_bundle.query_str, k=self._k, filter_=self._filter
        )
        return [_node(hit) for hit in found.hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class IbidReranker(BaseNodePostprocessor):
    """Reranks nodes by late interaction; half of the new score is the old one, see `rag/rerank.py`.

    Args:
        embedder: whose token vectors are compared: `trunk`, or a sentence-transformers model.
        cross_encoder: what reads the nodes too: `pack`, a CrossEncoder by path or hub name, or "" for none.
        top_n: most nodes that are returned; None returns all.
        deadline_ms: no node is begun to be read later than this; None waits for all. What is not read keeps its
            score and place.
    """

    embedder: str = TRUNK
    cross_encoder: str = ""
    top_n: int | None = None
    deadline_ms: float | None = None

    _reranker: LateInteraction = PrivateAttr()

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        cross_encoder = load_cross_encoder(self.cross_encoder) if self.cross_encoder else None
        self._reranker = LateInteraction(_embedder(self.embedder), cross_encoder)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        reranked = self._reranker.rerank(
            _question(query_bundle),
            _hits(nodes),
            limit=len(nodes),
            tokens=_ALL_TOKENS,
            deadline_ms=self.deadline_ms,
        )
        return _of_hits(reranked.hits[: self.top_n], nodes)


class IbidReorder(BaseNodePostprocessor):
    """Puts the best node first, the second best last, and the rest inward ("Lost in the Middle")."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return _of_hits(order_for_attention(_hits(nodes)), nodes)


class IbidCompressor(BaseNodePostprocessor):
    """Compresses nodes of long prose where all together exceed a budget, then drops the weakest that do not fit.

    Each is compressed alike, to a third at most; tables, code and short nodes stay as they are. Nodes keep their
    order. A compressed node has the metadata `kept`, the ranges of its former text that are left.

    Args:
        compressor: `pack`, or a token classifier by path or hub name.
        evidence_tokens: most tokens of all nodes together, in the trunk's tokens.
    """

    compressor: str = PACKAGED
    evidence_tokens: int = 2048

    _compressor: Compressor = PrivateAttr()

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._compressor = load_compressor(self.compressor)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        question = _question(query_bundle)
        needed = sum(_count(_text(node)) for node in nodes)
        if needed <= self.evidence_tokens:
            return nodes
        rate = Limits(self.evidence_tokens, self.evidence_tokens).rate(needed, self.evidence_tokens)
        compressed = [self._compressed(node, rate, question) for node in nodes]
        kept: set[str] = set()
        room = self.evidence_tokens
        for hit in _hits(compressed):  # best first
            tokens = _count(hit.text)
            if tokens <= room:
                room -= tokens
                kept.add(hit.chunk.document_id)
        return [node for node in compressed if node.node_id in kept]

    def _compressed(self, scored: NodeWithScore, rate: float, question: str) -> NodeWithScore:
        text = _text(scored)
        tokens = _count(text)
        if not should_compress(text, tokens=tokens, room=int(rate * tokens)):
            return scored
        made = self._compressor.compress(text, rate, question=question)
        node = scored.node.model_copy(deep=True)
        node.set_content(made.text)
        node.metadata["kept"] = [list(span) for span in made.kept]
        node.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, "kept"]
        node.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, "kept"]
        return NodeWithScore(node=node, score=scored.score)


class IbidQueryEngine(BaseQueryEngine):
    """Answers from a corpus as `ibid ask` does: every citation is checked, and what has no evidence is refused.

    The response's text is the answer, or the reason for a refusal. Its source nodes are the evidence in reading
    order, each with its label, or the nearest hits of a refusal. Its metadata holds `answerable`, `confidence`,
    `citations` (objects with answer_start and answer_end in the text, label, document, version, page, start, end,
    quote) and `conflicts`.

    Args:
        filter_: on the documents' metadata.

    Raises:
        NotFound, InvalidInput, CitationError: when it answers, see `Pipeline.ask`.
    """

    def __init__(
        self,
        service: Service,
        corpus: str,
        *,
        filter_: Filter | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager)
        self._service, self._corpus, self._filter = service, corpus, filter_

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Response:
        return _response(
            self._service.pipeline.ask(self._corpus, query_bundle.query_str, filter_=self._filter)
        )

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)


def ingest(
    service: Service, corpus: str, documents: Iterable[LlamaDocument], *, root: Path | None = None
) -> list[Outcome]:
    """Add or update what a llama-index reader returned, in a corpus that is made if need be; return each outcome.

    A document's name is its `file_path`, relative to `root` where that is given, else its `file_name`, else its id,
    which should then be the same at each reading. Neighbours of one name that have a `page_label`, as readers of
    PDFs return them, are one document with pages. Metadata is kept: texts, numbers and truth values as they are,
    other values as JSON. An unchanged document does nothing. A document without text, of a name that cannot be
    one, or of the name of an earlier one, fails alone.

    Args:
        root: the folder that the reader read, so that files in two folders under it keep two names.

    Raises:
        InvalidName: if the corpus cannot have this name.
        OtherEmbedder, StorageError: see `Builder.take`.
    """
    refused: list[Outcome] = []
    outcomes = list(service.builder().take(corpus, from_reader(documents, root, refused)))
    service.follow(corpus)
    return [*outcomes, *refused]


@cache
def _embedder(name: str) -> Embedder:
    return load_embedder(name)


def _text(scored: NodeWithScore) -> str:
    return scored.node.get_content(MetadataMode.NONE)


def _count(text: str) -> int:
    return len(_embedder(TRUNK).token_offsets(text))


def _question(query_bundle: QueryBundle | None) -> str:
    if query_bundle is None:
        raise ValueError("There is no question; pass query_bundle or query_str.")
    return query_bundle.query_str


def _node(hit: Hit, label: int | None = None) -> NodeWithScore:
    chunk = hit.chunk
    metadata = {"document": chunk.document, "page": hit.page, "context": chunk.context or None}
    metadata |= {"version": chunk.version, "start": hit.start, "end": hit.end, "label": label}
    node = TextNode(
        id_=f"{chunk.document_id}-{chunk.version}-{hit.start}-{hit.end}",
        text=hit.text,
        start_char_idx=hit.start,
        end_char_idx=hit.end,
        metadata={key: value for key, value in metadata.items() if value is not None},
        excluded_llm_metadata_keys=[*_PLACE_KEYS, "context"],
        excluded_embed_metadata_keys=[*_PLACE_KEYS, "page"],
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(
                node_id=chunk.document_id, metadata={"document": chunk.document}
            )
        },
    )
    return NodeWithScore(node=node, score=hit.score)


def _hits(nodes: Sequence[NodeWithScore]) -> list[Hit]:
    """Return any nodes as hits, best first; where none has a score, the first is the best."""
    unscored = all(node.score is None for node in nodes)
    hits = []
    for rank, scored in enumerate(nodes):
        text = _text(scored)
        context = str(scored.node.metadata.get("context", ""))
        chunk = Chunk(scored.node_id, scored.node_id, 1, 0, len(text), text, context=context)
        score = 1 - rank / len(nodes) if unscored else scored.score or 0.0
        hits.append(whole_chunk(chunk, score, "llama-index"))
    return sorted(hits, key=lambda hit: -hit.score)


def _of_hits(hits: Sequence[Hit], nodes: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    """Return the nodes that hits were made of, with the hits' scores, in their order."""
    own = {node.node_id: node.node for node in nodes}
    return [NodeWithScore(node=own[hit.chunk.document_id], score=hit.score) for hit in hits]


def _response(answer: Answer) -> Response:
    if answer.answerable:
        nodes = [_node(hit, label) for label, hit in enumerate(answer.trace.rankings["context"], 1)]
    else:
        nodes = [_node(hit) for hit in answer.nearest]
    return Response(
        response=answer.text or answer.reason,
        source_nodes=nodes,
        metadata={
            "answerable": answer.answerable,
            "confidence": answer.confidence,
            "citations": [asdict(citation) for citation in answer.citations],
            "conflicts": [asdict(conflict) for conflict in answer.conflicts],
        },
    )
