"""Readiness, and what a start costs."""

import subprocess
import sys
from pathlib import Path

from api.http.ready import Readiness
from api.service import Service
from rag.errors import ModelError
from rag.models.embed import Embedder
from rag.settings import Settings
from rag.store.catalog import Catalog
from rag.types import Recipe
from tests.served import TRAVEL, served, upload
from tests.waiting import HANG_S, wait_until


class Modelless(Service):
    """A service whose model is missing."""

    @property
    def embedder(self) -> Embedder:
        raise ModelError("The model is missing; run `make install`.")


def test_readiness_says_what_is_lacking(tmp_path: Path) -> None:
    service = Modelless(Settings(home=tmp_path))
    readiness = Readiness(service)
    assert readiness.reasons() == ["The model and the indexes are being loaded."]
    readiness.start()
    wait_until(lambda: "The model is missing; run `make install`." in str(readiness.reasons()))
    assert len(readiness.reasons()) == 1
    assert readiness.stop()
    service.close()


def test_a_corpus_of_another_model_is_a_warning_and_a_conflict(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.create_corpus("foreign", Recipe("of another model"))
    catalog.close()
    with served(Settings(home=tmp_path)) as site:
        [warning] = site.client.get("/ready").json()["warnings"]
        assert "'foreign' was embedded by another model" in warning
        for method, path, body in (
            ("POST", "search", {"json": {"question": "x"}}),
            ("POST", "documents", {"files": {"files": ("a.txt", b"text")}}),
        ):
            response = site.client.request(method, f"/v1/corpora/foreign/{path}", **body)
            assert response.status_code == 409, response.text


def test_what_only_some_questions_need_is_loaded_before_one_asks_for_it(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib, sys, time
from api.http.app import create_app
from rag.settings import Settings
async def main():
    app = create_app(Settings(home=pathlib.Path({str(tmp_path)!r})))
    async with app.router.lifespan_context(app):
        while "llmlingua" not in sys.modules:
            time.sleep(0.1)
        print("loaded")
asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=HANG_S)
    assert (ran.returncode, ran.stdout) == (0, "loaded\n"), ran.stderr


def test_starting_and_searching_import_no_heavy_library(tmp_path: Path) -> None:
    with served(Settings(home=tmp_path)) as site:
        upload(site.client, "handbook", {"travel.md": TRAVEL})
    program = f"""
import sys, asyncio, pathlib
from api.http.app import create_app
from rag.settings import Settings
from rag.types import Recipe
async def main():
    app = create_app(Settings(home=pathlib.Path({str(tmp_path)!r}), compressor="none"))
    async with app.router.lifespan_context(app):
        print(app.state.service.pipeline.search("handbook", "hotel in London").hits[0].chunk.document)
asyncio.run(main())
heavy = "torch transformers sentence_transformers llama_index numba scipy pypdfium2 docx pptx openpyxl"
print([name for name in heavy.split() if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["travel.md", "[]"]
