"""A table of any format as a grid of cells, and what of it is caption, header, row label and value.

Readers lay their cells out with `lay_out` and write them with `write_table`, so that every format's tables read the
same: the caption as a paragraph, then a pipe table whose one header row names every column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.formats import markdown

# Between the levels of a column's name: "2018 › Net sales".
LEVELS = " › "
# Columns or rows; a declared span is the file's claim, not to be believed without a bound.
MOST_SPANNED = 256
# Of one table, with what its spans fill; beyond it, spans are not believed.
_MOST_CELLS = 300_000
# A row of one text this long is prose inside a table, not its title.
_TITLE_CHARACTERS = 200
_MOST_TITLES = 6
_MOST_HEADER_ROWS = 6
_NUMBER = re.compile(r"[^\w(]*\(?[-+−–]?[\d.,'\s]*\d[\d.,'\s]*\)?\s*[^\W\d_]{0,4}\.?\W*")
# What stands in a row of units; longer ones are words.
_UNIT = re.compile(
    r"[\[(]?(?:[-–—%‰€$£¥]|°[CF]?|(?:k|M|Mio\.? |T)[€$]|EUR|USD|GBP|CHF|JPY|[kcdmµμn]?m[23²³]?|ha|[kmµμ]?g|t|lb|oz"
    r"|[mchdµμ]?[lL]|[mµμn]?s|sec|min|h|hrs?|d|days?|yrs?|years?|a|K|[kMGm]?(?:V|A|W|Wh|Hz|Pa|N|J|cal|B|bit|VA)"
    r"|hPa|m?bar|ppm|ppb|m?mol|pH|dB|rpm|pcs|Stk\.?|units?|[kcmµμ]?[mgl]/(?:s|h|min|[ldL]|m[23²³]|kg)|km/h)[\])]?"
)
_YEAR = re.compile(r"\D{0,12}(1[89]|20|21)\d\d\D{0,3}")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, and how many rows and columns it spans."""

    text: str
    rows: int = 1
    columns: int = 1
    heads: bool = False  # the file marks it as a header


EMPTY = Cell("")


def lay_out(rows: Iterable[Sequence[Cell]]) -> list[list[Cell]]:
    """Return the cell at each place of the grid; one that spans several stands at each of them.

    `[[a (2 rows), b (2 columns)], [c, d]]` becomes `[[a, b, b], [a, c, d]]`.
    """
    grid: list[list[Cell]] = []
    reaching: dict[int, tuple[Cell, int]] = {}  # column -> the cell from above, and the rows it still covers
    spare = _MOST_CELLS
    for row in rows:
        believed = spare > 0
        if not believed:
            reaching.clear()
        placed: dict[int, Cell] = {}
        for column, (cell, left) in list(reaching.items()):
            placed[column] = cell
            if left > 1:
                reaching[column] = (cell, left - 1)
            else:
                del reaching[column]
        column = 0
        for cell in row:
            while column in placed:
                column += 1
            width = max(1, min(cell.columns, MOST_SPANNED)) if believed else 1
            for covered in range(column, column + width):
                if covered in placed:
                    break
                placed[covered] = cell
                if cell.rows > 1 and believed:
                    reaching[covered] = (cell, min(cell.rows, MOST_SPANNED) - 1)
        grid.append([placed.get(at, EMPTY) for at in range(max(placed, default=-1) + 1)])
        spare -= len(grid[-1])
    return grid


def write_table(
    rows: Sequence[Sequence[Cell | str]], *, caption: str = "", header_rows: int | None = None
) -> str:
    """Write a grid as light markdown: a paragraph for its caption, if any, and a pipe table.

    Rows of one text above the header are its titles and join the caption, as in spreadsheets. Names of several levels
    become one, "2018 › Net sales". Blank rows and columns are dropped, blank cells within a row are kept.

    Args:
        rows: as `lay_out` returns them, or plain texts.
        header_rows: how many rows after the titles name the columns; None to find out.

    Returns:
        "" if no cell has text; a paragraph if only titles are left.
    """
    grid = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    grid = [row for row in grid if any(cell.text.strip() for cell in row)]
    titles = _titles(grid, stated=header_rows is not None)
    body = _without_blank_columns(grid[len(titles) :])
    head = "\n".join(filter(None, [caption.strip(), *titles]))
    if not body:
        return head
    count = header_row_count(body) if header_rows is None else min(header_rows, len(body))
    names = _column_names(body[:count]) or [""] * len(body[0])
    table = markdown.table([names, *map(_texts, body[count:])])
    return f"{head}\n\n{table}" if head else table


def write_rows(rows: Sequence[Sequence[Cell]], *, caption: str = "", header_rows: int | None = None) -> str:
    """Write a grid like `write_table`, but a single row, which names nothing, as a line: "Issued by: Grebe bureau".

    For formats whose tables may only place text beside text.
    """
    held = [list(row) for row in rows if any(cell.text.strip() for cell in row)]
    titles = _titles(held, stated=header_rows is not None)
    if len(held) != len(titles) + 1:
        return write_table(rows, caption=caption, header_rows=header_rows)
    return "\n\n".join(filter(None, [caption.strip(), *titles, write_inline([_once(held[-1])])]))


def write_inline(rows: Sequence[Sequence[Cell]]) -> str:
    """Write a table on one line, for a table inside another's cell: "Size: 3, Weight: 4; Size: 5, Weight: 6".

    Two columns without a header are pairs of a name and its value: "Size: 3; Weight: 4".
    """
    grid = _without_blank_columns([row for row in rows if any(cell.text.strip() for cell in row)])
    width = max(map(len, grid), default=0)
    # A single row names nothing
    has_header = len(grid) > 1 and (width > 2 or _is_marked(grid[0]))
    count = header_row_count(grid) if has_header else 0
    names = _column_names(grid[:count])
    lines = []
    used = {at for row in grid[count:] for at, cell in enumerate(row) if cell.text.strip()}
    for number, row in enumerate(grid[count:]):
        texts = [" ".join(cell.text.split()) for cell in row]
        if names:
            # A column without values is still named, once
            texts += [""] * (len(names) - len(texts))
            held = [
                at for at, text in enumerate(texts) if text or (number == 0 and at not in used and names[at])
            ]
            lines.append(", ".join(_named(names[at] if at < len(names) else "", texts[at]) for at in held))
        else:
            lines.append(_pair(texts) if width == 2 else ", ".join(filter(None, texts)))
    return "; ".join(filter(None, lines)).replace(":; ", ": ")


def _named(name: str, text: str) -> str:
    return f"{name}: {text}".strip() if name else text


def header_row_count(rows: Sequence[Sequence[Cell]]) -> int:
    """Return how many of the first rows name the columns; 0 if already the first holds values.

    A row that the file marks belongs to the header. Otherwise the first row does, and the next ones while a cell
    of the header spans them or several columns of the row above them. A row of units under it belongs to it, too.
    """
    count = _named_rows(rows)
    return count + 1 if 0 < count < len(rows) - 1 and _holds_units(rows[count], rows[count + 1]) else count


def _named_rows(rows: Sequence[Sequence[Cell]]) -> int:
    marked = 0
    while marked < min(len(rows), _MOST_HEADER_ROWS) and _is_marked(rows[marked]):
        marked += 1
    if marked:
        while marked > 1 and _heads_group(rows[marked - 1]) and marked < len(rows):
            marked -= 1
        return marked if marked < len(rows) else 1
    if len(rows) > 1 and _holds_values(rows[0]):
        return 0
    count = 1
    while count < min(len(rows) - 1, _MOST_HEADER_ROWS) and _goes_on(rows[count - 1], rows[count]):
        count += 1
    return count


def is_number(text: str) -> bool:
    """Return whether a cell holds an amount, such as "1,250", "(3.5)", "$ 12" or "40 kg"; a year is a name."""
    stripped = text.strip()
    return _NUMBER.fullmatch(stripped) is not None and _YEAR.fullmatch(stripped) is None


def _titles(grid: Sequence[Sequence[Cell]], *, stated: bool) -> list[str]:
    """Return the texts of the rows above the header that hold a single text, none if all rows do.

    Where the number of header rows is stated, a text that leaves the first column empty is a name of columns.
    """
    width = max((len(row) for row in grid), default=0)
    titles: list[str] = []
    for row in grid[:_MOST_TITLES]:
        held = {id(cell): cell.text.strip() for cell in row if cell.text.strip()}
        text = next(iter(held.values()))
        names_columns = stated and not row[0].text.strip()
        if width < 2 or names_columns or len(held) > 1 or len(text) > _TITLE_CHARACTERS or is_number(text):
            break
        if _names_one_column(row, width):
            break
        titles.append(" ".join(text.split()))
    return titles if len(titles) < len(grid) else []


def _pair(texts: Sequence[str]) -> str:
    """Return a name and its value: "Size: 3"; a name that ends in a mark keeps it."""
    name, value = [*texts, ""][:2]
    return f"{name}{'' if not name or name[-1] in ':?.' else ':'} {value}".strip() if value else name


def _texts(row: Sequence[Cell]) -> list[str]:
    """Return the texts of a row; one cell over its whole width heads a group of rows, and stands once."""
    if _heads_group(row):
        return [row[0].text, ""]
    return [cell.text for cell in row]


def _heads_group(row: Sequence[Cell]) -> bool:
    """Return whether one cell stands over the whole width of its table: it names the rows below it, no columns."""
    return len(row) > 1 and len({id(cell) for cell in row}) == 1


def _once(row: Sequence[Cell]) -> list[Cell]:
    """Return a row's cells that have text, each once however many columns it spans."""
    return list({id(cell): Cell(cell.text) for cell in row if cell.text.strip()}.values())


def _names_one_column(row: Sequence[Cell], width: int) -> bool:
    """Return whether a row of one text is a header whose other names are empty, as over a chart's categories."""
    marked = sum(cell.heads and cell.text.strip() != "" for cell in row)
    return 0 < marked < width


def _without_blank_columns(grid: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    used = sorted({column for row in grid for column, cell in enumerate(row) if cell.text.strip()})
    rows = [[row[column] for column in used if column < len(row)] for row in grid]
    for row in rows:
        while row and not row[-1].text.strip():
            row.pop()
    return rows


def _column_names(header: Sequence[Sequence[Cell]]) -> list[str]:
    """Join the levels of each column's name, each text once, from the top."""
    width = max(map(len, header), default=0)
    names = []
    for column in range(width):
        cells = [row[column] for row in header if column < len(row)]
        levels = dict.fromkeys(" ".join(cell.text.split()) for cell in cells if cell.text.strip())
        names.append(LEVELS.join(levels))
    return names


def _is_marked(row: Sequence[Cell]) -> bool:
    held = [cell for cell in row if cell.text.strip()]
    return bool(held) and all(cell.heads for cell in held)


def _holds_values(row: Sequence[Cell]) -> bool:
    """Return whether most cells of a row beyond the first are amounts."""
    held = [cell for cell in row[1:] if cell.text.strip()]
    return len(held) > 0 and sum(is_number(cell.text) for cell in held) * 2 > len(held)


def _holds_units(row: Sequence[Cell], following: Sequence[Cell]) -> bool:
    """Return whether a row holds units of the columns, "m", "[kg]", "%", and the next one amounts in each of them."""
    units = [(at, cell.text.strip()) for at, cell in enumerate(row) if cell.text.strip()]
    amounts = [following[at].text for at, _ in units if at < len(following) and following[at].text.strip()]
    return bool(amounts) and all(_UNIT.fullmatch(unit) for _, unit in units) and all(map(is_number, amounts))


def _goes_on(above: Sequence[Cell], row: Sequence[Cell]) -> bool:
    """Return whether a row continues the header: the one above spans its columns, or reaches into it."""
    reaches = any(cell.rows > 1 and cell in row for cell in above if cell.text.strip())
    spans = any(cell.columns > 1 for cell in above if cell.text.strip())
    return (reaches or spans) and not _holds_values(row)
