"""The text of an RTF destination as blocks: paragraphs, headings, list items, tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ingest.formats import markdown
from ingest.formats.grid import EMPTY, Cell, write_inline, write_rows

_MOST_CELLS = 200_000


@dataclass(frozen=True, slots=True)
class CellPlan:
    """How a cell of the current row is merged with its neighbours."""

    goes_on_left: bool = False
    goes_on_above: bool = False
    begins_below: bool = False


@dataclass(slots=True)
class ParagraphState:
    """What \\pard resets."""

    heading: int = 0  # 1 to 9
    label: str = ""  # what the list generates: "1.", "-"
    depth: int = 0
    table_depth: int = 0


@dataclass(slots=True)
class RowState:
    """What \\trowd resets."""

    plans: list[CellPlan] = field(default_factory=list)
    plan: CellPlan = CellPlan()
    heads: bool = False


class Flow:
    """Text that grows a piece at a time into blocks."""

    def __init__(self) -> None:
        self.paragraph = ParagraphState()
        self.row = RowState()
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._after: list[str] = []  # what stands after the current paragraph
        self._cell: list[str] = []
        self._cells: list[str] = []
        self._grid: list[list[Cell]] = []
        self._inner_cells: list[str] = []
        self._inner: list[list[Cell]] = []
        self._left = _MOST_CELLS

    def add(self, text: str) -> None:
        """Add text to the current line."""
        self._line.append(text)

    def line_end(self) -> str:
        """Return the last words of the current line."""
        return "".join(self._line[-4:])

    def add_after(self, block: str) -> None:
        """Add a block after the current paragraph: a comment, a text box."""
        if block.strip():
            self._after.append(block)

    def end_paragraph(self) -> None:
        """End the paragraph; in a table it belongs to its cell."""
        text = "".join(self._line).strip()
        self._line.clear()
        state = self.paragraph
        if state.table_depth:
            label = "•" if state.label == "-" else state.label
            self._cell.append(f"{label} {text}".strip() if text else "")
        else:
            self._end_table()
            self._blocks.append(self._written(text, state))
            self._blocks.extend(self._after)
            self._after.clear()
        # A label stands before one paragraph
        state.label = ""

    def end_cell(self) -> None:
        """End a cell of the outer table."""
        self._end_inner()
        self._cells.append(self._taken())

    def end_row(self) -> None:
        """End a row of the outer table."""
        if self._line:
            self.end_cell()
        plans = [*self.row.plans, *[CellPlan()] * (len(self._cells) - len(self.row.plans))]
        row: list[Cell] = []
        for at, (text, plan) in enumerate(zip(self._cells, plans, strict=False)):
            if plan.goes_on_left and row:
                row.append(row[-1])
            elif plan.goes_on_above and self._grid and at < len(self._grid[-1]) and not text:
                row.append(self._grid[-1][at])
            else:
                row.append(Cell(text, 2 if plan.begins_below else 1, _width(plans, at), self.row.heads))
        self._left -= len(row) + 1
        if self._left > 0:
            self._grid.append(row)
        else:
            self._blocks.append(", ".join(self._cells))
        self._cells.clear()

    def end_inner_cell(self) -> None:
        """End a cell of a table in a cell."""
        self._inner_cells.append(self._taken())

    def end_inner_row(self) -> None:
        """End a row of a table in a cell."""
        self._inner.append([Cell(text) if text else EMPTY for text in self._inner_cells])
        self._inner_cells.clear()

    def build_table(self, word: str) -> None:
        """Take a control word that builds tables; ignore others."""
        match word:
            case "trowd":
                self.row = RowState()
            case "cellx":
                self.plan_cell()
            case "clmrg":
                self.merge(goes_on_left=True)
            case "clvmrg":
                self.merge(goes_on_above=True)
            case "clvmgf":
                self.merge(begins_below=True)
            case "trhdr":
                self.row.heads = True
            case "cell":
                self.end_cell()
            case "row":
                self.end_row()
            case "nestcell":
                self.end_inner_cell()
            case "nestrow":
                self.end_inner_row()

    def plan_cell(self) -> None:
        """Take the plan of a cell that ends at \\cellx."""
        self.row.plans.append(self.row.plan)
        self.row.plan = CellPlan()

    def merge(self, **facts: bool) -> None:
        """Note how the current cell is merged."""
        self.row.plan = replace(self.row.plan, **facts)

    def blocks(self) -> list[str]:
        """End what is open and return the blocks."""
        if self._line or self._after:
            self.paragraph.table_depth = 0
            self.end_paragraph()
        self._end_table()
        return self._blocks

    def _written(self, text: str, state: ParagraphState) -> str:
        if not text:
            return ""
        if state.heading:
            numbered = f"{state.label} {text}" if state.label not in ("", "-") else text
            return markdown.heading(numbered, state.heading)
        return markdown.list_item(text, state.depth, state.label) if state.label else text

    def _taken(self) -> str:
        """Return the text of the current cell, and begin another."""
        if self._line:
            table_depth, self.paragraph.table_depth = self.paragraph.table_depth, 1
            self.end_paragraph()
            self.paragraph.table_depth = table_depth
        text = " ".join(" ".join(filter(None, self._cell)).split())
        self._cell.clear()
        return text

    def _end_inner(self) -> None:
        if self._inner:
            self._cell.append(write_inline(self._inner))
            self._inner = []

    def _end_table(self) -> None:
        if self._cells:
            self.end_row()
        if self._grid:
            self._blocks.append(write_rows(self._grid))
            self._blocks.extend(self._after)
            self._after.clear()
            self._grid = []


def _width(plans: list[CellPlan], at: int) -> int:
    width = 1
    while at + width < len(plans) and plans[at + width].goes_on_left:
        width += 1
    return width
