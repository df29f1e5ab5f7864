"""A citation of a PDF says where its words stand, and the page is shown with them marked."""

import struct
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from rag.settings import Settings
from tests.browsed import browsed, needs_chromium
from tests.made_files import make_pdf
from tests.served import Site, is_problem, served, upload
from tests.waiting import wait_until

LAMP = ["The lamp of the lighthouse burns whale oil.", "The tower has 199 steps."]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(Settings(home=tmp_path_factory.mktemp("home"))) as site:
        upload(
            site.client,
            "sea",
            {
                "a/lamp.pdf": make_pdf(["A page before it."], LAMP),
                "notes.txt": "The boat is red.",
                "b/pages/1.png": "The sail is blue.",
                "b/pages/plan.png": "The mast is old.",
            },
        )
        yield site


def pixels(picture: bytes) -> np.ndarray:
    """Decode a PNG of 8-bit RGB without filters: (height, width, 3)."""
    width, height = struct.unpack(">II", picture[16:24])
    data, at = b"", 8
    while at < len(picture):
        [length] = struct.unpack(">I", picture[at : at + 4])
        if picture[at + 4 : at + 8] == b"IDAT":
            data += picture[at + 8 : at + 8 + length]
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 3 * width)
    return lines[:, 1:].reshape(height, width, 3)


def marked(shown: np.ndarray) -> np.ndarray:
    """Return where a page is yellow: (height, width) bool."""
    return (shown[..., 0] > 200) & (shown[..., 2] < 150)


def test_the_page_shows_the_quoted_words(site: Site) -> None:
    asked = {"question": "What does the lamp of the lighthouse burn?"}
    answer = site.client.post("/v1/corpora/sea/ask", json=asked).json()
    cited = next(one for one in answer["citations"] if "burns whale oil" in one["quote"])
    assert (cited["document"], cited["page"]) == ("a/lamp.pdf", 2)
    [box] = cited["boxes"]
    # Its baseline is 700 points above the foot of a page of 842
    assert box["page"] == 2
    assert 120 < box["y0"] < box["y1"] < 150
    assert 70 < box["x0"] < 74

    url = "/v1/corpora/sea/documents/a/lamp.pdf/pages/2.png"
    page = site.client.get(url, params={"start": cited["start"], "end": cited["end"], "scale": 2})
    assert page.headers["content-type"] == "image/png"
    ys, xs = np.nonzero(marked(pixels(page.content)))
    edges = [xs.min() / 2, ys.min() / 2, xs.max() / 2, ys.max() / 2]
    assert edges == pytest.approx([box["x0"], box["y0"], box["x1"], box["y1"]], abs=2)
    assert not marked(pixels(site.client.get(url).content)).any()


def test_a_document_may_be_named_like_a_page(site: Site) -> None:
    for name, text in (("b/pages/1.png", "The sail is blue."), ("b/pages/plan.png", "The mast is old.")):
        assert site.client.get(f"/v1/corpora/sea/documents/{name}").json()["text"] == text


def test_what_cannot_be_shown_says_so(site: Site) -> None:
    documents = "/v1/corpora/sea/documents"
    for url, says in (
        (f"{documents}/a/lamp.pdf/pages/3.png", "Page 3 does not exist"),
        (f"{documents}/notes.txt/pages/1.png", "is no PDF"),
        (f"{documents}/none.pdf/pages/1.png", "no document"),
        (f"{documents}/a/lamp.pdf/pages/1.png?version=7", "version 7 is no longer kept"),
    ):
        assert says in is_problem(site.client.get(url), httpx.codes.NOT_FOUND)["detail"]
    for url in (f"{documents}/a/lamp.pdf/pages/0.png", f"{documents}/a/lamp.pdf/pages/1.png?scale=99"):
        is_problem(site.client.get(url), httpx.codes.UNPROCESSABLE_ENTITY)


@needs_chromium
def test_the_page_of_the_service_shows_it_too(site: Site) -> None:
    with browsed() as page:
        page.goto(f"http://127.0.0.1:{site.address[1]}/#sea")
        page.fill("#question", "What does the lamp of the lighthouse burn?")
        page.click("#ask button.main")
        page.click("details summary >> nth=0")
        picture = page.locator("details img").first
        picture.wait_for()
        wait_until(lambda: picture.evaluate("image => image.naturalWidth") > 300)
