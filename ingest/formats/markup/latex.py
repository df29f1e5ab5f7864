"""LaTeX: sections, paragraphs, lists and tables as light markdown; formulas stay as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexCommentNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexSpecialsNode,
    LatexWalker,
    LatexWalkerParseError,
    get_default_latex_context_db,
)
from pylatexenc.macrospec import EnvironmentSpec, MacroSpec

from ingest.formats import markdown
from ingest.formats.encoding.decode import decode
from ingest.formats.file_text import FileLimits, FileText, Omission, from_text
from ingest.formats.grid import Cell, lay_out, write_table
from ingest.formats.markdown import fenced
from ingest.formats.markup.latex_names import (
    ARGUMENTS,
    CLAIMS,
    DRAWINGS,
    ENVIRONMENT_ARGUMENTS,
    LISTS,
    OUTSIDE,
    PLACEHOLDER,
    SECTIONS,
    TABULAR,
    UNSHOWN,
)

_FORMULAS = re.compile(
    r"(?:equation|align|alignat|gather|multline|eqnarray|displaymath|math|flalign|array)\*?"
)
_VERBATIM = re.compile(
    r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|comment|filecontents\*?)\}(?:\[[^\]]*\])?(?:\{(\w+)\})?"
)
# Commands that a document defines may stand for one another.
_MOST_EXPANSIONS = 5_000
_COMMAND = re.compile(r"\\(?:re)?newcommand\*?\{?\\([A-Za-z]+)\}?\{((?:[^{}]|\{[^{}]*\})*)\}")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SPACE = re.compile(r"\s+")


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write the document; comments, and files that it would include, are named.

    Source that cannot be parsed is read as code, and named.
    """
    decoded = decode(data, name)
    try:
        writer = _Writer()
        writer.document(decoded.text.replace("\r\n", "\n"))
    except (LatexWalkerParseError, RecursionError) as error:
        # The latter, too, comes of what is not closed.
        line = getattr(error, "lineno", None)
        fault = Omission("markup that is not understood", f"line {line}" if line else "")
        return from_text(fenced(decoded.text, "latex"), {}, (*decoded.omissions, fault))
    text = markdown.join_blocks(writer.blocks)
    return from_text(text, writer.metadata, (*decoded.omissions, *writer.omissions))


class _Writer:
    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.metadata: dict[str, object] = {}
        self.omissions: list[Omission] = []
        self._line: list[str] = []
        self._verbatim: list[tuple[str, str, str]] = []
        self._commands: dict[str, str] = {}
        self._comments = 0
        self._depth = 0
        self._marker = ""
        self._expanded: list[str] = []

    def document(self, source: str) -> None:
        self._commands = dict(_COMMAND.findall(source))
        nodes = _parsed(self._without_verbatim(source))
        body = next((node for node in nodes if _is(node, LatexEnvironmentNode, "document")), None)
        if body is None:
            self.nodes(nodes)
        else:
            self._preamble(nodes)
            self.nodes(body.nodelist)
        self._flush()
        if self._comments:
            self.omissions.append(Omission("comment", "", self._comments))

    def nodes(self, nodes: Sequence[Any]) -> None:
        for before, node in pairwise([None, *nodes]):
            if isinstance(before, LatexGroupNode) and isinstance(node, LatexGroupNode):
                # Arguments of a command that is not known.
                self._line.append(" ")
            if isinstance(node, LatexCharsNode):
                self._chars(node.chars)
            elif isinstance(node, LatexMacroNode):
                self._macro(node)
            elif isinstance(node, LatexEnvironmentNode):
                self._environment(node)
            elif isinstance(node, LatexMathNode):
                self._math(node)
            elif isinstance(node, LatexGroupNode):
                self.nodes(node.nodelist)
            elif isinstance(node, LatexSpecialsNode):
                if node.specials_chars == "\n\n":
                    self._flush()
                else:
                    self._line.append(" " if node.specials_chars == "~" else self._plain(node))
            elif isinstance(node, LatexCommentNode):
                self._comments += any(map(str.isalnum, node.comment))
            else:
                self._line.append(self._plain(node))

    def _without_verbatim(self, source: str) -> str:
        """Put text that is no LaTeX aside, and a command in its place."""
        parts, reached = [], 0
        unended: set[str] = set()
        for found in _VERBATIM.finditer(source):
            end = f"\\end{{{found[1]}}}"
            if found.start() < reached or end in unended:
                continue
            stop = source.find(end, found.end())
            if stop < 0:
                unended.add(end)
                continue
            self._verbatim.append((found[1], found[2] or "", source[found.end() : stop]))
            parts += [source[reached : found.start()], f"\\{PLACEHOLDER}{{{len(self._verbatim) - 1}}}"]
            reached = stop + len(end)
        return "".join([*parts, source[reached:]])

    def _preamble(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            if isinstance(node, LatexMacroNode) and node.macroname in ("title", "author", "date", *OUTSIDE):
                self._macro(node)

    def _chars(self, text: str) -> None:
        first, *others = _PARAGRAPH.split(text)
        self._line.append(first)
        for paragraph in others:
            self._flush()
            self._line.append(paragraph)

    def _macro(self, node: Any) -> None:
        name = node.macroname
        arguments = [
            argument for argument in (node.nodeargd.argnlist if node.nodeargd else []) or [] if argument
        ]
        last = arguments[-1] if arguments else None
        if name in SECTIONS or name == "title":
            self._flush()
            title = self._inline(last)
            if name == "title":
                self.metadata["title"] = title
            self.blocks.append(markdown.heading(title, SECTIONS.get(name, 1)))
        elif name in ("author", "date"):
            self.metadata["author" if name == "author" else "created"] = self._inline(last)
            self.blocks.append(self._inline(last))
        elif name in OUTSIDE:
            self.omissions.append(Omission(OUTSIDE[name], _source(last)))
        elif name == PLACEHOLDER:
            self._kept(int(_source(last)))
        elif name in ("verb", "lstinline"):
            self._line.append(str(getattr(node.nodeargd, "verbatim_text", "") or ""))
        elif name in self._commands and len(self._expanded) < _MOST_EXPANSIONS:
            self._expanded.append(name)
            self.nodes(_parsed(self._commands[name]))
        elif name == "caption":
            self._flush()
            self.blocks.append(self._inline(last))
        elif name in ("footnote", "footnotetext", "thanks"):
            self._line.append(f" ({self._inline(last)})")
        elif name.startswith("cite") or name in (
            "ref",
            "eqref",
            "autoref",
            "cref",
            "Cref",
            "pageref",
            "parencite",
        ):
            self._line.append(f"[{_source(last)}]")
        elif name == "href" and len(arguments) > 1:
            self._line.append(f"{self._inline(last)} ({_source(arguments[0])})")
        elif name in ("\\", "newline", "par"):
            self._line.append("\n") if name != "par" else self._flush()
        elif name not in UNSHOWN:
            self._other_macro(node, arguments)

    def _other_macro(self, node: Any, arguments: list[Any]) -> None:
        """Write a symbol or an accent as its character, what only formats as what it formats."""
        text = self._plain(node)
        formats = [argument for argument in arguments if isinstance(argument, LatexGroupNode)]
        if formats and len(text) > 2:
            self.nodes([formats[-1]])
        else:
            self._line.append(text + (" " if node.macro_post_space and text else ""))

    def _plain(self, node: Any) -> str:
        try:
            return str(_to_text().node_to_text(node))
        except (IndexError, AttributeError, TypeError):
            # A command of fewer arguments than it should have.
            return str(node.latex_verbatim())

    def _math(self, node: Any) -> None:
        source = node.latex_verbatim()
        if node.displaytype == "display":
            self._flush()
            self.blocks.append(source.strip())
        else:
            self._line.append(source)

    def _environment(self, node: Any) -> None:
        name = node.environmentname
        if name in LISTS:
            self._list(node, name)
        elif name in TABULAR:
            self._flush()
            self.blocks.append(self._table(node))
        elif _FORMULAS.fullmatch(name):
            self._flush()
            self.blocks.append(f"```latex\n{node.latex_verbatim().strip()}\n```")
        elif name in DRAWINGS:
            self.omissions.append(Omission("drawing", name))
        elif name in ("table", "table*"):
            self._flush()
            captions = [child for child in node.nodelist if _is(child, LatexMacroNode, "caption")]
            self.nodes([*captions, *(child for child in node.nodelist if child not in captions)])
            self._flush()
        else:
            self._flush()
            if name == "abstract":
                self.blocks.append(markdown.heading("Abstract", 2))
            elif name.rstrip("*") in CLAIMS:
                self._line.append(f"{name.rstrip('*').title()}. ")
            self.nodes(node.nodelist)
            self._flush()

    def _kept(self, number: int) -> None:
        kind, language, text = self._verbatim[number]
        if kind == "comment":
            self._comments += 1
        else:
            self._flush()
            self.blocks.append(fenced(text, language))

    def _list(self, node: Any, name: str) -> None:
        self._flush()
        self._depth += 1
        number = 0
        for child in node.nodelist:
            if isinstance(child, LatexMacroNode) and child.macroname in ("item", "bibitem"):
                self._flush()
                number += 1
                label = (
                    self._inline(child.nodeargd.argnlist[0])
                    if child.nodeargd and child.nodeargd.argnlist
                    else ""
                )
                if child.macroname == "bibitem":
                    label = ""
                self._marker = f"{number}. " if "enum" in name else "- "
                if label:
                    self._line.append(f"{label}: " if name == "description" else f"{label} ")
            else:
                self.nodes([child])
        self._flush()
        self._depth -= 1

    def _table(self, node: Any) -> str:
        rows: list[list[Cell]] = []
        cells: list[list[Any]] = [[]]
        for child in node.nodelist:
            if isinstance(child, LatexSpecialsNode) and child.specials_chars == "&":
                cells.append([])
            elif isinstance(child, LatexMacroNode) and child.macroname in ("\\", "tabularnewline"):
                rows.append([self._cell(cell) for cell in cells])
                cells = [[]]
            else:
                cells[-1].append(child)
        rows.append([self._cell(cell) for cell in cells])
        return write_table(lay_out(_uncovered(rows)))

    def _cell(self, nodes: list[Any]) -> Cell:
        for node in nodes:
            if isinstance(node, LatexMacroNode) and node.macroname in ("multicolumn", "multirow"):
                groups = [
                    group for group in node.nodeargd.argnlist or [] if isinstance(group, LatexGroupNode)
                ]
                stated = _source(groups[0]) if groups else ""
                span = int(stated) if stated.isdigit() and len(stated) < 4 else 1
                inner = self._cell(list(groups[-1].nodelist)) if groups else Cell("")
                if node.macroname == "multirow":
                    return Cell(inner.text, span, inner.columns)
                return Cell(inner.text, inner.rows, span)
        flat = nodes[0].nodelist if len(nodes) == 1 and isinstance(nodes[0], LatexGroupNode) else None
        return self._cell(list(flat)) if flat is not None else Cell(self._inline_of(nodes))

    def _inline(self, node: Any) -> str:
        return self._inline_of([node] if node is not None else [])

    def _inline_of(self, nodes: Sequence[Any]) -> str:
        """Return nodes as one line."""
        inner = _Writer()
        inner._commands, inner._verbatim, inner._expanded = self._commands, self._verbatim, self._expanded
        inner.nodes(nodes)
        inner._flush()
        self.omissions += inner.omissions
        self._comments += inner._comments
        return _SPACE.sub(" ", " ".join(inner.blocks)).strip()

    def _flush(self) -> None:
        lines = "".join(self._line).split("\n")
        self._line.clear()
        text = _SPACE.sub(" ", " ".join(lines)).strip()
        if not text:
            return
        indent = "  " * max(0, self._depth - 1)
        self.blocks.append(f"{indent}{self._marker}{text}" if self._marker else text)
        self._marker = ""


def _parsed(source: str) -> Sequence[Any]:
    walker = LatexWalker(source, latex_context=_context(), tolerant_parsing=True)
    return list(walker.get_latex_nodes()[0])


@cache
def _to_text() -> Any:
    return LatexNodes2Text(math_mode="verbatim", keep_comments=False)


@cache
def _context() -> Any:
    context = get_default_latex_context_db()
    macros = [MacroSpec(name, arguments) for name, arguments in ARGUMENTS.items()]
    environments = [EnvironmentSpec(name, arguments) for name, arguments in ENVIRONMENT_ARGUMENTS.items()]
    context.add_context_category("ibid", prepend=True, macros=macros, environments=environments)
    return context


def _uncovered(rows: list[list[Cell]]) -> Iterator[list[Cell]]:
    """Drop the blank cells that LaTeX writes under a cell of several rows, whose place `lay_out` fills."""
    reaching: dict[int, int] = {}
    for row in rows:
        column, kept = 0, []
        for cell in row:
            covered = reaching.get(column, 0) > 0
            if not (covered and not cell.text):
                kept.append(cell)
            if cell.rows > 1:
                reaching[column] = cell.rows
            column += cell.columns
        reaching = {at: left - 1 for at, left in reaching.items() if left > 1}
        yield kept


def _is(node: Any, kind: type, name: str) -> bool:
    return isinstance(node, kind) and name in (
        getattr(node, "macroname", None),
        getattr(node, "environmentname", None),
    )


def _source(node: Any) -> str:
    """Return an argument as written, without its braces."""
    return str(node.latex_verbatim()).strip("{}[] \n") if node is not None else ""
