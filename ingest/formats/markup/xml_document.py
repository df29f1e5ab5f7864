"""XML: documents (DocBook, JATS, TEI, DITA, feeds) as they read, data as tables and lines of keys."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lxml import etree

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.markdown import fenced
from ingest.formats.markup.vocabulary import as_page
from ingest.formats.markup.xml_tree import MalformedXml, local_name, parse_xml
from ingest.formats.plain.records import write_records
from ingest.formats.web.html import convert, declared_charset
from ingest.formats.web.page import PageWriter, omissions_of
from ingest.formats.web.visibility import Visibility

_DOCUMENTS = frozenset(
    (
        *("book", "article", "chapter", "section", "sect1", "part", "refentry", "set", "appendix", "preface"),
        *("TEI", "TEI.2", "teiCorpus", "rss", "feed", "RDF", "topic", "concept", "task", "reference", "dita"),
        *("div", "body", "svg", "ncx", "glossary"),
    )
)
# Elements in which text and elements alternate, per element of a file of data at most.
_MIXED_SHARE = 0.1


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write a document as markdown, a file of data as `write_records` does.

    A file that is not well-formed is read as it stands, and named.

    Raises:
        UnreadableFile: if it declares entities that multiply.
    """
    decoded = decode(data, name, declared_charset(data))
    try:
        root = parse_xml(decoded.text, name)
    except MalformedXml as error:
        fault = Omission("markup that is not well-formed", error.place)
        return from_text(fenced(decoded.text, "xml"), {}, (*decoded.omissions, fault))
    if local_name(root) == "html":
        page = convert(decoded.text)
        return from_text(page.text, page.metadata, (*decoded.omissions, *page.omissions))
    if local_name(root) not in _DOCUMENTS and _mixed_share(root) < _MIXED_SHARE:
        value = _value(root)
        records = value if isinstance(value, dict) else {local_name(root): value}
        return from_text(write_records(records, name, limits), {}, decoded.omissions)
    page_root = as_page(root)
    omissions: Counter[tuple[str, str]] = Counter()
    writer = PageWriter(Visibility(page_root), omissions)
    writer.write(page_root)
    named = (*decoded.omissions, *omissions_of(omissions))
    return from_text(writer.text(), {"title": _title(root)}, named)


def _mixed_share(root: Any) -> float:
    mixed = count = 0
    for element in root.iter(etree.Element):
        count += 1
        if len(element) and (
            (element.text or "").strip() or any((child.tail or "").strip() for child in element)
        ):
            mixed += 1
    return mixed / max(1, count)


def _value(element: Any) -> Any:
    """Return an element of data as JSON has it: text, or an object of its attributes and children by name.

    Children of one name become a list.
    """
    children = [child for child in element if isinstance(child.tag, str)]
    text = (element.text or "").strip()
    if not children and not element.attrib:
        return text
    members: dict[str, Any] = {name.rsplit("}", 1)[-1]: value for name, value in element.attrib.items()}
    counts = Counter(local_name(child) for child in children)
    for child in children:
        name = local_name(child)
        value = _value(child)
        if counts[name] == 1 and isinstance(value, dict) and not len(child):
            # A text with attributes stands beside them: "depth: 3", "depth unit: m".
            members[name] = value.pop("text", "")
            members.update({f"{name} {key}": stated for key, stated in value.items()})
        elif counts[name] == 1:
            members[name] = value
        else:
            members.setdefault(name, [])
            if isinstance(members[name], list):
                members[name].append(value)
    texts = [text, *((child.tail or "").strip() for child in children)]
    if any(texts):
        members["text"] = " ".join(filter(None, texts))
    return members


def _title(root: Any) -> str:
    """Return the first title of the document."""
    for element in root.iter(etree.Element):
        if local_name(element) in ("title", "article-title", "head"):
            return " ".join("".join(element.itertext()).split())
    return ""
