"""HTML: what a reader of the page sees, as markdown."""

import re
from typing import Any

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString
from markdownify import ATX, MarkdownConverter

from ingest.formats import markdown
from ingest.formats.file_text import FileLimits, FileText, from_text
from ingest.formats.text import decode

_CHARSET = re.compile(
    rb"""<(?:meta[^>]*charset|\?xml[^>]*encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_UNSEEN = (
    *("script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "head"),
    *("button", "select", "input", "textarea", "dialog"),
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")
_TRAILING_SPACE = re.compile(r"[ \t]+\n")
_METADATA = {"author": "author", "description": "description", "date": "created"}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Convert the page's main part, or the whole body where none is marked; the title goes to metadata."""
    charset = _CHARSET.search(data[:4096])
    text, metadata = html_to_markdown(decode(data, name, charset[1].decode() if charset else None))
    return from_text(text, metadata)


def html_to_markdown(html: str) -> tuple[str, dict[str, object]]:
    """Convert HTML to light markdown; return it and what the page states about itself."""
    soup = BeautifulSoup(_DECLARATION.sub("", html), "lxml")
    metadata = _metadata(soup)
    for element in soup.find_all(_is_unseen):
        element.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    converter = _Converter(
        heading_style=ATX,
        bullets="-",
        strip=["a", "b", "strong", "i", "em", "u", "del", "s", "code", "kbd", "samp", "sub", "sup", "q"],
        escape_asterisks=False,
        escape_underscores=False,
    )
    text = _TRAILING_SPACE.sub("\n", converter.convert_soup(_main_part(soup)))
    return _BLANK_LINES.sub("\n\n", text).strip(), metadata


class _Converter(MarkdownConverter):  # type: ignore[misc, unused-ignore]
    """Markdownify with our pipe tables, and without marks that would stand inside quotations."""

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        rows = [
            [cell.get_text(" ", strip=True) for cell in row.find_all(["td", "th"], recursive=False)]
            for row in el.find_all("tr")
            if row.find_parent("table") is el
        ]
        return f"\n\n{markdown.table([row for row in rows if any(row)])}\n\n"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return str(el.get("alt") or "")

    def process_text(self, el: NavigableString, parent_tags: set[str] | None = None) -> str:
        text = str(super().process_text(el, parent_tags))  # type: ignore[misc, unused-ignore]
        if "pre" in (parent_tags or ()):
            return text
        text = text.replace("\n", " ")  # a line of the source is not one of the page
        return (
            text.lstrip()
            if isinstance(el.previous_sibling, Tag) and el.previous_sibling.name == "br"
            else text
        )

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"


def _is_unseen(element: Tag) -> bool:
    style = element.get("style")
    return (
        element.name in _UNSEEN
        or element.has_attr("hidden")
        or element.get("aria-hidden") == "true"
        or bool(isinstance(style, str) and _HIDDEN.search(style))
    )


def _main_part(soup: BeautifulSoup) -> Any:
    articles = soup.find_all("article")
    main = soup.find("main") or soup.find(None, {"role": "main"})
    return main or (articles[0] if len(articles) == 1 else None) or soup.body or soup


def _metadata(soup: BeautifulSoup) -> dict[str, object]:
    metadata: dict[str, object] = {}
    if soup.title is not None:
        metadata["title"] = soup.title.get_text()
    if isinstance(soup.html, Tag):
        metadata["language"] = soup.html.get("lang")
    for stated, key in _METADATA.items():
        element = soup.find("meta", attrs={"name": stated})
        if isinstance(element, Tag):
            metadata[key] = element.get("content")
    return metadata
