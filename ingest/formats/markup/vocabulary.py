"""Elements of XML documents as the elements of HTML that mean the same: DocBook, JATS, TEI, DITA, RSS, Atom."""

from __future__ import annotations

from typing import Any

from lxml import etree, html

from ingest.formats.markup.xml_tree import local_name
from ingest.formats.web.tree import parse

_SAME = {
    **dict.fromkeys(
        ("para", "simpara", "formalpara", "p", "ab", "shortdesc", "subtitle", "label", "attrib"), "p"
    ),
    **dict.fromkeys(("itemizedlist", "simplelist", "list", "ul", "sl", "choices", "listBibl"), "ul"),
    **dict.fromkeys(("orderedlist", "ol", "steps", "procedure", "substeps"), "ol"),
    **dict.fromkeys(
        ("listitem", "list-item", "item", "li", "step", "member", "sli", "ref", "bibl", "choice"), "li"
    ),
    **dict.fromkeys(("variablelist", "def-list", "dl", "glosslist", "parml"), "dl"),
    **dict.fromkeys(("term", "dt", "glossterm", "pt"), "dt"),
    **dict.fromkeys(("def", "dd", "glossdef", "pd"), "dd"),
    **dict.fromkeys(("programlisting", "screen", "literallayout", "codeblock", "code", "pre", "eg"), "pre"),
    **dict.fromkeys(("blockquote", "disp-quote", "cit", "lq"), "blockquote"),
    **dict.fromkeys(("row", "tr", "strow", "sthead"), "tr"),
    **dict.fromkeys(("entry", "td", "cell", "stentry"), "td"),
    **dict.fromkeys(("mixed-citation", "element-citation", "citation"), "span"),
    **dict.fromkeys(("superscript", "sup"), "sup"),
    **dict.fromkeys(("subscript", "sub"), "sub"),
    **dict.fromkeys(("lb", "break", "br"), "br"),
    **{
        "th": "th",
        "thead": "thead",
        "tbody": "tbody",
        "tfoot": "tfoot",
        "simpletable": "table",
        "math": "math",
    },
}
_SECTIONS = frozenset(
    (
        *(
            "book",
            "article",
            "chapter",
            "section",
            "part",
            "refentry",
            "appendix",
            "preface",
            "sec",
            "div",
            "topic",
        ),
        *(
            "concept",
            "task",
            "reference",
            "refsect1",
            "refsect2",
            "sect1",
            "sect2",
            "sect3",
            "sect4",
            "sect5",
        ),
        *(
            "abstract",
            "entry",
            "item",
            "channel",
            "feed",
            "glossary",
            "bibliography",
            "ack",
            "app",
            "front",
            "back",
        ),
        *("div1", "div2", "div3", "example", "set", "TEI", "figure", "ref-list"),
    )
)
# Sections that come without a title of their own.
_UNNAMED = {"abstract": "Abstract", "ack": "Acknowledgments", "bibliography": "Bibliography"}
_TITLES = frozenset(("title", "head", "article-title", "bridgehead", "refname", "refentrytitle"))
_TABLES = frozenset(("table", "informaltable"))
# Whose label and caption are one line.
_CAPTIONED = frozenset(("table-wrap", "fig"))
# Parts of a line without blanks between them: names of persons, dates.
_PHRASES = frozenset(
    (
        "contrib",
        "author",
        "personname",
        "name",
        "editor",
        "pubdate",
        "pub-date",
        "publisher",
        "aff",
        "persName",
        "date",
    )
)
_NOTES = frozenset(("note", "warning", "tip", "caution", "important", "danger"))
_FOOTNOTES = frozenset(("footnote", "fn"))
_INLINE_FIRST = frozenset(("code",))
_HTML_FIELDS = frozenset(("description", "encoded", "summary", "content"))
_NAMED_FIELDS = {
    "pubDate": "Published",
    "published": "Published",
    "updated": "Updated",
    "category": "Category",
}
_DEEPEST = 6


def as_page(root: Any) -> Any:
    """Return the document as a tree of HTML elements, which `PageWriter` writes."""
    page = html.Element("html")
    body = etree.SubElement(page, "body")
    _copy(root, body, 1)
    return page


def _copy(element: Any, parent: Any, depth: int, *, mixed: bool = False) -> None:
    """Append an element, translated, to `parent`.

    Args:
        depth: the level of a title in it.
        mixed: it stands within text.
    """
    if not isinstance(element.tag, str):
        return
    name = local_name(element)
    above = local_name(element.getparent()) if element.getparent() is not None else ""
    if name in _TABLES and _has_rows(element):
        _table(element, parent, depth)
    elif name in _CAPTIONED:
        _captioned(element, parent, depth)
    elif name in _PHRASES and not mixed:
        words = (" ".join(text.split()) for text in element.itertext())
        etree.SubElement(parent, "p").text = " ".join(filter(None, words))
    elif name in _TITLES:
        _title(element, parent, depth, above)
    elif name in _HTML_FIELDS and above in ("item", "entry", "channel", "feed"):
        _html(element, parent)
    elif name in _NAMED_FIELDS and (element.text or "").strip():
        etree.SubElement(parent, "p").text = f"{_NAMED_FIELDS[name]}: {element.text.strip()}"
    elif name in _NOTES and _has_blocks(element):
        etree.SubElement(parent, "p").text = f"{name.title()}:"
        _children(element, etree.SubElement(parent, "div"), depth)
    elif name in _FOOTNOTES or (name == "note" and above not in _SECTIONS):
        words = (" ".join(text.split()) for text in element.itertext())
        etree.SubElement(parent, "span").text = f" ({' '.join(filter(None, words))})"
    elif name in _SECTIONS and not (
        name in ("entry", "item") and above not in ("feed", "channel", "rss", "RDF")
    ):
        _section(element, parent, depth, name)
    else:
        _other(element, parent, depth, mixed=mixed)


def _section(element: Any, parent: Any, depth: int, name: str) -> None:
    section = etree.SubElement(parent, "section")
    titled = any(_brings_title(child) for child in element if isinstance(child.tag, str))
    if name in _UNNAMED and not titled:
        etree.SubElement(section, f"h{min(depth, _DEEPEST)}").text = _UNNAMED[name]
    _children(element, section, depth + (1 if titled or name in _UNNAMED else 0), title_depth=depth)


def _title(element: Any, parent: Any, depth: int, above: str) -> None:
    is_heading = above in _SECTIONS or above.endswith(("info", "title-group", "meta")) or above == "info"
    tag = f"h{min(depth, _DEEPEST)}" if is_heading and above not in ("fig", "figure", "example") else "p"
    _children(element, etree.SubElement(parent, tag), depth, inline=True)


def _other(element: Any, parent: Any, depth: int, *, mixed: bool) -> None:
    name = local_name(element)
    tag = _SAME.get(name)
    if name in ("listitem", "def") and local_name(element.getparent()) in (
        "varlistentry",
        "def-item",
        "glossentry",
    ):
        tag = "dd"
    elif name == "list" and (element.get("list-type") or element.get("rend") or "") in (
        "order",
        "ordered",
        "numbered",
    ):
        tag = "ol"
    elif (name in _INLINE_FIRST and mixed) or (
        name in ("term", "label", "ref", "item", "p", "bibl") and mixed
    ):
        tag = "span"
    elif name == "label" and _SAME.get(local_name(element.getparent())) == "li":
        etree.SubElement(parent, "span").text = f"{''.join(element.itertext()).strip()} "
        return
    elif tag is None:
        tag = "span" if mixed or not _has_text(element) else "div"
    target = element.get("url") or element.get("{http://www.w3.org/1999/xlink}href") or element.get("href")
    if target and tag in ("span", "div") and name not in ("graphic", "image", "imagedata"):
        tag = "a"
    made = etree.SubElement(parent, tag)
    if tag == "a":
        made.set("href", target)
    for key in ("rowspan", "colspan", "start"):
        if element.get(key):
            made.set(key, element.get(key))
    if name in ("graphic", "imagedata", "image", "inline-graphic"):
        made.tag = "img"
        alt = element.get("alt") or next(
            (child.text for child in element if local_name(child) == "alt"), None
        )
        if alt:
            made.set("alt", alt)
        return
    _children(element, made, depth, inline=tag in ("span", "a", "p", "pre"))


def _children(element: Any, made: Any, depth: int, *, inline: bool = False, title_depth: int = 0) -> None:
    """Copy the text and the children; `title_depth` is the level of a title that is a child, 0 for `depth`."""
    _add_text(made, element.text or "")
    mixed = _holds_text(element)
    for child in element:
        if not isinstance(child.tag, str):
            _add_text(made, child.tail or "")
            continue
        _copy(child, made, title_depth if title_depth and _brings_title(child) else depth, mixed=mixed)
        _add_text(made, child.tail or "")


def _brings_title(child: Any) -> bool:
    """Return whether a child of a section is its title, or the part in which the title stands."""
    name = local_name(child)
    if name in _TITLES:
        return True
    about = name.endswith(("info", "title-group", "-meta")) or name == "front"
    return about and any(local_name(part) in _TITLES for part in child.iter(etree.Element))


def _captioned(element: Any, parent: Any, depth: int) -> None:
    stated = [child for child in element if local_name(child) in ("label", "caption", "title")]
    words = (" ".join(text.split()) for child in stated for text in child.itertext())
    etree.SubElement(parent, "p").text = " ".join(filter(None, words))
    for child in element:
        if child not in stated:
            _copy(child, parent, depth)


def _table(element: Any, parent: Any, depth: int) -> None:
    """Copy a table of CALS or of HTML."""
    table = etree.SubElement(parent, "table")
    caption = [child for child in element if local_name(child) in ("title", "caption", "head", "textobject")]
    if caption:
        _children(caption[0], etree.SubElement(table, "caption"), depth, inline=True)
    columns = {spec.get("colname"): at for at, spec in enumerate(_specs(element), 1)}
    for row in element.iter(etree.Element):
        if _SAME.get(local_name(row)) != "tr":
            continue
        part = local_name(row.getparent())
        is_head = part == "thead" or local_name(row) == "sthead" or row.get("role") == "label"
        made = etree.SubElement(table, "tr")
        for cell in row:
            if not isinstance(cell.tag, str):
                continue
            tag = "th" if is_head or local_name(cell) == "th" or cell.get("role") == "label" else "td"
            copied = etree.SubElement(made, tag)
            first, last = columns.get(cell.get("namest")), columns.get(cell.get("nameend"))
            wide = last - first + 1 if first and last else cell.get("colspan") or cell.get("cols") or 1
            more = cell.get("morerows")
            tall = int(more) + 1 if more and more.isdigit() else cell.get("rowspan") or cell.get("rows") or 1
            copied.set("colspan", str(wide))
            copied.set("rowspan", str(tall))
            _children(cell, copied, depth)


def _specs(table: Any) -> list[Any]:
    group = next((child for child in table if local_name(child) == "tgroup"), table)
    return [child for child in group if local_name(child) == "colspec"]


def _has_rows(element: Any) -> bool:
    return any(_SAME.get(local_name(child)) == "tr" for child in element.iter(etree.Element))


def _has_blocks(element: Any) -> bool:
    return any(
        _SAME.get(local_name(child)) in ("p", "ul", "ol", "pre")
        for child in element
        if isinstance(child.tag, str)
    )


def _has_text(element: Any) -> bool:
    return any(text.strip() for text in element.itertext())


def _holds_text(element: Any) -> bool:
    """Return whether text and elements alternate in an element."""
    return bool((element.text or "").strip() or any((child.tail or "").strip() for child in element))


def _html(element: Any, parent: Any) -> None:
    """Append what a feed quotes as HTML."""
    text = (element.text or "").strip()
    if len(element):
        _children(element, etree.SubElement(parent, "div"), _DEEPEST)
    elif "<" in text:
        for child in list(parse(text)):
            child.tag = "div" if child.tag == "body" else child.tag
            parent.append(child)
    elif text:
        etree.SubElement(parent, "p").text = text


def _add_text(element: Any, text: str) -> None:
    if not text:
        return
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text
