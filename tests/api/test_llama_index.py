"""Ibid's parts inside plain llama-index applications: its own documents, pipelines, indexes and query engines."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import BaseNode, Document, MetadataMode, NodeWithScore, QueryBundle, TextNode

from api.llama_index import (
    IbidCompressor,
    IbidNodeParser,
    IbidQueryEngine,
    IbidReorder,
    IbidReranker,
    IbidRetriever,
    ingest,
)
from api.service import Service
from ingest.chunking.chunkers import CHUNKERS, make_chunker
from rag.errors import InvalidSettings, NotFound
from rag.models.embed import load_embedder
from rag.settings import Settings
from tests.made_versions import LAMP_QUESTION, MILL, SEA
from tests.modelled import WORDS

TRUNK = load_embedder(threads=1)
REPEATED = "# Head\n\n" + "The same words again and again and again. " * 9


class TrunkEmbedding(BaseEmbedding):
    """The embedding model of an application."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(value) for value in TRUNK.encode([text])[0]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application's files, two of them with the same name."""
    folder = tmp_path_factory.mktemp("read")
    for name, text in {
        "sea.md": f"# Lighthouse\n\n{SEA}",
        "mill/note.txt": MILL,
        "sea/note.txt": SEA,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Service]:
    service = Service(Settings(home=tmp_path_factory.mktemp("home")))
    documents = SimpleDirectoryReader(folder, recursive=True).load_data()
    assert [one.state for one in ingest(service, "library", documents, root=folder)] == ["added"] * 3
    yield service
    service.close()


def scored(*texts: str) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(text=text, id_=str(rank)), score=1 - rank / 10)
        for rank, text in enumerate(texts)
    ]


# the node parser


@pytest.mark.parametrize("name", CHUNKERS)
def test_llama_index_nodes(name: str) -> None:
    parser, chunker = (
        IbidNodeParser(name, chunk_tokens=24, model=WORDS),
        make_chunker(name, WORDS, chunk_tokens=24),
    )
    assert isinstance(parser, NodeParser)
    document = Document(text=REPEATED, metadata={"file": "a.md"}, excluded_embed_metadata_keys=["file"])
    nodes = parser.get_nodes_from_documents([document])
    pieces = chunker(REPEATED)
    assert len(nodes) == len(pieces) > 2
    for node, piece in zip(nodes, pieces, strict=True):
        assert isinstance(node, TextNode)
        assert (node.start_char_idx, node.end_char_idx) == (piece.start, piece.end)
        assert node.text == REPEATED[piece.start : piece.end]
        assert node.metadata["file"] == "a.md"
        assert node.ref_doc_id == document.doc_id
        indexed = f"{piece.context}\n{node.text}" if piece.context else node.text
        assert node.get_content(MetadataMode.EMBED) == indexed
    assert nodes[1].prev_node is not None
    assert nodes[1].prev_node.node_id == nodes[0].node_id
    assert nodes[0].next_node is not None
    assert nodes[0].next_node.node_id == nodes[1].node_id


def test_nodes_of_repeated_text_keep_their_own_offsets() -> None:
    text = "ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab"
    parser = IbidNodeParser("token", chunk_tokens=16, model=WORDS)
    nodes = parser.get_nodes_from_documents([Document(text=text)])
    assert [(n.start_char_idx, n.end_char_idx) for n in nodes if isinstance(n, TextNode)] == [
        (0, 47),
        (48, 53),
    ]


def test_the_id_function_names_the_nodes() -> None:
    def number(i: int, doc: BaseNode) -> str:
        return f"{doc.node_id}/{i}"

    parser = IbidNodeParser(chunk_tokens=24, model=WORDS, id_func=number)
    nodes = parser.get_nodes_from_documents([Document(text=REPEATED, id_="a")])
    assert [node.node_id for node in nodes][:2] == ["a/0", "a/1"]
    assert nodes[1].prev_node is not None
    assert nodes[1].prev_node.node_id == "a/0"


def test_fingerprint_changes_with_everything_that_decides_a_cut() -> None:
    """An IngestionPipeline recognises earlier nodes by this hash."""

    def fingerprint(parser: IbidNodeParser) -> str:
        return get_transformation_hash([], parser)

    made = [
        IbidNodeParser(name, chunk_tokens=tokens, model=WORDS) for name in CHUNKERS for tokens in (20, 40)
    ]
    made += [
        IbidNodeParser("token", chunk_tokens=20, options={"overlap_tokens": 5}, model=WORDS),
        IbidNodeParser("packed", chunk_tokens=20),
    ]
    assert len({fingerprint(parser) for parser in made}) == len(made)
    assert fingerprint(made[0]) == fingerprint(IbidNodeParser("packed", chunk_tokens=20, model=WORDS))


def test_an_unknown_chunker_is_refused_when_the_parser_is_made() -> None:
    with pytest.raises(InvalidSettings, match="expected one of packed, max_min"):
        IbidNodeParser("semantic", model=WORDS)


def test_an_ingestion_pipeline_cuts_embeds_and_caches() -> None:
    pipeline = IngestionPipeline(transformations=[IbidNodeParser(chunk_tokens=64), TrunkEmbedding()])
    document = Document(text=REPEATED, id_="a", metadata={"author": "Quill"})
    nodes = pipeline.run(documents=[document])
    again = asyncio.run(pipeline.arun(documents=[document]))
    assert [node.node_id for node in again] == [node.node_id for node in nodes]
    assert len(nodes) == len(make_chunker("packed", TRUNK, chunk_tokens=64)(REPEATED)) > 1
    assert {node.metadata["author"] for node in nodes} == {"Quill"}
    assert nodes[1].metadata["context"] == "Head"
    embedded = f"Quill\nHead\n{nodes[1].get_content(MetadataMode.NONE)}"
    assert nodes[1].embedding == pytest.approx(TrunkEmbedding().get_text_embedding(embedded))


# a vector index of llama-index's own, over our nodes and through our postprocessors


def test_a_plain_application_parses_retrieves_postprocesses_and_answers(folder: Path) -> None:
    documents = SimpleDirectoryReader(folder, recursive=True).load_data()
    index = VectorStoreIndex.from_documents(
        documents, transformations=[IbidNodeParser(chunk_tokens=32)], embed_model=TrunkEmbedding()
    )
    engine = RetrieverQueryEngine.from_args(
        index.as_retriever(similarity_top_k=4),
        llm=MockLLM(),
        node_postprocessors=[IbidReranker(top_n=3), IbidReorder(), IbidCompressor()],
        response_mode=ResponseMode.COMPACT,
    )
    for response in (engine.query(LAMP_QUESTION), asyncio.run(engine.aquery(LAMP_QUESTION))):
        assert len(response.source_nodes) == 3
        assert "burns whale oil" in response.source_nodes[0].text
        assert "burns whale oil" in response.source_nodes[-1].text  # the second best; two files say it
        assert "burns whale oil" in str(response)  # the mock answers with its prompt


# the retriever and the query engine


def test_the_retriever_returns_what_a_search_finds(service: Service) -> None:
    retriever = IbidRetriever(service, "library", k=2)
    nodes = retriever.retrieve(LAMP_QUESTION)
    hits = service.pipeline.search("library", LAMP_QUESTION, k=2).hits
    assert len(nodes) == 2
    for scored_node, hit in zip(nodes, hits, strict=True):
        node = scored_node.node
        assert isinstance(node, TextNode)
        assert (node.text, scored_node.score) == (hit.text, hit.score)
        assert (node.start_char_idx, node.end_char_idx) == (hit.start, hit.end)
        stated = {"document": hit.chunk.document, "version": 1, "start": hit.start, "end": hit.end}
        assert stated.items() <= node.metadata.items()
        assert node.ref_doc_id == hit.chunk.document_id
        assert node.get_content(MetadataMode.LLM) == f"document: {hit.chunk.document}\n\n{hit.text}"
    again = asyncio.run(retriever.aretrieve(LAMP_QUESTION))
    assert [node.node_id for node in again] == [node.node_id for node in nodes]


def test_the_retriever_filters_and_fails_clearly(service: Service) -> None:
    retriever = IbidRetriever(service, "library", filter_={"file_type": {"$eq": "text/markdown"}})
    assert {node.metadata["document"] for node in retriever.retrieve(LAMP_QUESTION)} == {"sea.md"}
    with pytest.raises(NotFound):
        IbidRetriever(service, "nowhere").retrieve(LAMP_QUESTION)


def test_the_retriever_serves_a_llama_index_engine(service: Service) -> None:
    engine = RetrieverQueryEngine.from_args(
        IbidRetriever(service, "library", k=3),
        llm=MockLLM(),
        node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=0.0), IbidReorder()],
    )
    response = engine.query(LAMP_QUESTION)
    assert "burns whale oil" in str(response)
    assert {"sea.md", "sea/note.txt"} <= {node.metadata["document"] for node in response.source_nodes}


def test_the_query_engine_answers_with_checked_citations(service: Service) -> None:
    engine = IbidQueryEngine(service, "library")
    for response in (engine.query(LAMP_QUESTION), asyncio.run(engine.aquery(LAMP_QUESTION))):
        metadata: dict[str, Any] = response.metadata or {}
        assert "whale oil" in str(response)
        assert metadata["answerable"]
        assert 0.15 < metadata["confidence"] <= 1
        assert metadata["citations"]
        for citation in metadata["citations"]:
            node = response.source_nodes[citation["label"] - 1].node
            assert citation["verified"]
            assert (node.metadata["label"], node.metadata["document"]) == (
                citation["label"],
                citation["document"],
            )
            text = service.catalog.documents.get("library", citation["document"]).text
            assert text[citation["start"] : citation["end"]] == citation["quote"]
            assert isinstance(node, TextNode)
            assert (node.start_char_idx or 0) <= citation["start"]
            assert citation["end"] <= (node.end_char_idx or 0)


def test_the_query_engine_refuses_what_has_no_evidence(service: Service) -> None:
    response = IbidQueryEngine(service, "library").query("How many moons does Jupiter have?")
    metadata: dict[str, Any] = response.metadata or {}
    assert (metadata["answerable"], metadata["citations"]) == (False, [])
    assert str(response)
    assert response.source_nodes


# the postprocessors


def test_the_reranker_lifts_what_answers_and_keeps_the_rest() -> None:
    nodes = scored(MILL, SEA, "Rye is a grain.")
    reranked = IbidReranker().postprocess_nodes(nodes, query_str=LAMP_QUESTION)
    assert reranked[0].text == SEA
    assert sorted(node.text for node in reranked) == sorted(node.text for node in nodes)
    assert all(0.8 <= (node.score or 0) <= 1 for node in reranked)  # within the range of the input scores
    assert len(IbidReranker(top_n=2).postprocess_nodes(nodes, query_str=LAMP_QUESTION)) == 2
    unscored = [NodeWithScore(node=node.node) for node in nodes]
    assert IbidReranker().postprocess_nodes(unscored, query_str=LAMP_QUESTION)[0].text == SEA
    with pytest.raises(ValueError, match="no question"):
        IbidReranker().postprocess_nodes(nodes)


def test_the_best_nodes_stand_at_both_ends() -> None:
    nodes = scored(*"abcde")
    ordered = IbidReorder().postprocess_nodes([nodes[3], nodes[0], nodes[4], nodes[2], nodes[1]])
    assert [node.text for node in ordered] == ["a", "c", "e", "d", "b"]
    assert IbidReorder().postprocess_nodes([]) == []


def test_the_compressor_keeps_the_budget_and_the_ranges_that_are_left() -> None:
    prose = _long_prose()
    nodes = scored(prose, SEA, prose[: len(prose) // 2])
    compressor = IbidCompressor(evidence_tokens=300)
    made = asyncio.run(compressor.apostprocess_nodes(nodes, query_bundle=QueryBundle(LAMP_QUESTION)))
    assert sum(len(TRUNK.token_offsets(node.text)) for node in made) <= 300
    assert [node.node_id for node in made] == ["0", "1", "2"]
    kept = made[0].node.metadata["kept"]
    assert " ".join(prose[start:end] for start, end in kept) == made[0].text
    assert made[1].text == SEA  # too short to be compressed
    assert nodes[0].text == prose  # the input is unchanged
    assert IbidCompressor(evidence_tokens=3000).postprocess_nodes(nodes, query_str=LAMP_QUESTION) == nodes
    assert [
        node.text for node in IbidCompressor(evidence_tokens=40).postprocess_nodes(nodes, query_str="?")
    ] == [SEA]


def _long_prose() -> str:
    sentences = [
        f"In the year {1800 + number} the keeper of lighthouse number {number} wrote at some length into the old book "
        "that the weather on the coast had been rather rough and that several ships were seen far out at sea."
        for number in range(8)
    ]
    return " ".join(sentences)


# ingest


def test_what_a_reader_returns_is_ingested_once(service: Service, folder: Path) -> None:
    documents = SimpleDirectoryReader(folder, recursive=True).load_data()
    assert {one.state for one in ingest(service, "library", documents, root=folder)} == {"unchanged"}
    document = service.catalog.documents.get("library", "mill/note.txt")
    assert document.text == MILL
    assert document.metadata["file_name"] == "note.txt"
    assert document.metadata["file_size"] == len(MILL)
    assert "last_accessed_date" not in document.metadata


def test_names_come_from_path_file_name_or_id(service: Service) -> None:
    documents = [
        Document(text="one", metadata={"file_path": "notes/one.md", "file_name": "one.md"}),
        Document(text="two", metadata={"file_path": "/somewhere/two.md", "file_name": "two.md"}),
        Document(text="three", metadata={"file_path": "/somewhere/three.md"}),
        Document(text="four", id_="page-4"),
    ]
    outcomes = ingest(service, "names", documents)
    assert [one.name for one in outcomes] == ["notes/one.md", "two.md", "three.md", "page-4"]
    assert {one.state for one in outcomes} == {"added"}


def test_metadata_is_kept_scalars_as_they_are_and_the_rest_as_json(service: Service) -> None:
    metadata = {
        "year": 1822,
        "rate": 0.5,
        "draft": False,
        "tags": ["a", "ö"],
        "by": {"name": "Ada"},
        "none": None,
    }
    ingest(service, "metadata", [Document(text="one", id_="a", metadata=metadata)])
    kept = dict(service.catalog.documents.get("metadata", "a").metadata)
    assert json.loads(str(kept.pop("by"))) == {"name": "Ada"}
    assert kept == {"year": 1822, "rate": 0.5, "draft": False, "tags": '["a", "ö"]'}


def test_a_changed_document_is_a_new_version(service: Service) -> None:
    assert [one.state for one in ingest(service, "changed", [Document(text="one", id_="a")])] == ["added"]
    [outcome] = ingest(service, "changed", [Document(text="two", id_="a")])
    assert (outcome.state, outcome.version) == ("updated", 2)
    [outcome] = ingest(service, "changed", [Document(text="two", id_="a")])
    assert outcome.state == "unchanged"
    [outcome] = ingest(service, "changed", [Document(text="two", id_="a", metadata={"by": "Ada"})])
    assert (outcome.state, outcome.version) == ("updated", 3)


def test_pages_of_one_file_are_one_document_with_pages(service: Service) -> None:
    pages = [
        Document(text=text, metadata={"file_name": "book.pdf", "page_label": str(number)})
        for number, text in enumerate([SEA, "", MILL], 1)
    ]
    [outcome] = ingest(service, "pages", pages)
    document = service.catalog.documents.get("pages", "book.pdf")
    assert (outcome.state, document.text) == ("added", f"{SEA}\n\n{MILL}")
    assert document.page_at(document.text.index(MILL)) == 3
    assert dict(document.metadata) == {"file_name": "book.pdf"}
    node = IbidRetriever(service, "pages", k=1).retrieve("Who is the miller?")[0].node
    assert node.metadata["page"] == 3
    [outcome] = ingest(service, "pages", pages)
    assert outcome.state == "unchanged"


def test_duplicates_empty_texts_and_bad_names_fail_alone(service: Service) -> None:
    documents = [
        Document(text="one", metadata={"file_name": "a.md"}),
        Document(text="two", metadata={"file_name": "a.md"}),
        Document(text=" \n", metadata={"file_name": "b.md"}),
        Document(text="three", metadata={"file_path": "../c.md"}),
        Document(text="four", metadata={"file_name": "d.md"}),
    ]
    outcomes = {(one.name, one.state): one.error or "" for one in ingest(service, "refused", documents)}
    assert set(outcomes) == {
        ("a.md", "added"), ("d.md", "added"), ("a.md", "failed"), ("b.md", "failed"), ("../c.md", "failed")
    }  # fmt: skip
    assert "An earlier document is named 'a.md'" in outcomes["a.md", "failed"]
    assert "b.md has no text" in outcomes["b.md", "failed"]
    assert "holds '..'" in outcomes["../c.md", "failed"]
    assert service.catalog.documents.get("refused", "a.md").text == "one"
