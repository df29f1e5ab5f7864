"""reStructuredText: through docutils to HTML, and from there as a page."""

from __future__ import annotations

import io
import re
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree, publish_from_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en

from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.web.html import convert

_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:+.-]+)::", re.MULTILINE)
_ROLE = re.compile(r":([A-Za-z][\w:+.-]*):`")
_TARGET = re.compile(r"^(.*?)\s*<([^<>]*)>$", re.DOTALL)
# Directives that fetch other files, which an upload does not bring.
_OUTSIDE = re.compile(
    r"^[ \t]*\.\.[ \t]+(?:include|literalinclude|image|figure|csv-table|raw)::[ \t]*(\S[^\n]*)?", re.MULTILINE
)
_FILE_OPTION = re.compile(r"[ \t]*:(?:file|url):[ \t]*(\S+)")
# Of Sphinx: lists of other pages, and settings.
_NO_TEXT = frozenset(("toctree", "index", "highlight", "currentmodule", "default-role", "only"))
_CODE = frozenset(("code-block", "sourcecode", "code", "parsed-literal", "prompt"))
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 3,
    "halt_level": 5,
    "_disable_config": True,
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "doctitle_xform": False,
    "initial_header_level": 1,
    "line_length_limit": 1_000_000,
    "math_output": "LaTeX",
}


class Passage(Directive):  # type: ignore[misc, unused-ignore]
    """A directive that docutils does not know, such as those of Sphinx: its arguments and its content are text."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[Any]:
        # Options are settings, and stand before the content.
        lines = list(self.content)
        while lines and re.match(r":[\w-]+:(?:\s|$)", lines[0]):
            lines.pop(0)
            self.content.trim_start()
        if self.name in _NO_TEXT:
            return []
        if self.name in _CODE:
            return [nodes.literal_block("\n".join(lines), "\n".join(lines))]
        made: list[Any] = []
        if self.arguments:
            argument = self.arguments[0].split("\n:")[0]
            label = _LABELS.get(self.name, "{}").format(argument)
            made.append(nodes.paragraph("", label))
        block = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, block)
        return [*made, *block.children]


_LABELS = {
    "versionadded": "New in version {}",
    "versionchanged": "Changed in version {}",
    "deprecated": "Deprecated since version {}",
}


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the document as markdown; files that it would include are named."""
    decoded = decode(data, name)
    source = decoded.text
    _learn(source)
    settings = {**_SETTINGS, "warning_stream": io.StringIO()}
    tree = publish_doctree(source, settings_overrides=settings)
    faults = _without_messages(tree)
    page = convert(
        publish_from_doctree(tree, writer="html5", settings_overrides=settings).decode(), titled=False
    )
    left_out = [omission for omission in page.omissions if omission.kind != "embedded object"]
    omissions = (*decoded.omissions, *left_out, *faults, *_outside(source))
    return from_text(page.text, {"title": _title(page.text)}, omissions)


def _without_messages(tree: Any) -> list[Omission]:
    """Replace docutils' complaints by the source that they quote, and name them."""
    faults = []
    for section in list(tree.findall(nodes.section)):
        if "system-messages" in section["classes"]:
            section.parent.remove(section)
    for message in list(tree.findall(nodes.system_message)):
        quoted = [child for child in message.children if isinstance(child, nodes.literal_block)]
        message.parent.replace(message, quoted)
        if quoted:
            faults.append(Omission("block that is not understood", f"line {message.get('line', '?')}"))
    tree.transform_messages, tree.parse_messages = [], []
    return faults


def _learn(source: str) -> None:
    """Make docutils read the directives and roles that it does not know as text."""
    for found in set(_DIRECTIVE.findall(source)):
        if found not in en.directives or found in _CODE:
            directives.register_directive(found, Passage)
    for role in set(_ROLE.findall(source)):
        if role not in en.roles:
            roles.register_local_role(role, _as_text)


def _as_text(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[Any], list[Any]]:
    """Return the words of a role: ":ref:`the pump <pump>`" reads "the pump"."""
    plain = text.replace("\0", "")
    titled = _TARGET.match(plain)
    return [nodes.inline(rawtext, titled[1] if titled and titled[1] else plain.lstrip("~!"))], []


def _outside(source: str) -> list[Omission]:
    lines = source.split("\n")
    omissions = []
    for number, line in enumerate(lines, 1):
        found = _OUTSIDE.match(line)
        following = lines[number : number + 6]
        option = next((file for file in map(_FILE_OPTION.match, following) if file), None)
        if not found:
            continue
        if "include::" in line:
            omissions.append(Omission("included file", f"line {number}: {found[1] or ''}"))
        elif "raw::" in line or "csv-table::" in line:
            kind = "included file" if option else "raw block" if "raw::" in line else ""
            if kind:
                omissions.append(Omission(kind, f"line {number}{f': {option[1]}' if option else ''}"))
    return omissions


def _title(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first.lstrip("#").strip() if first.startswith("#") else ""
