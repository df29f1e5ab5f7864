"""Excel workbooks (xlsx): a page per sheet, hidden ones included and marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats.archive import Archive
from ingest.formats.file_text import FileLimits, FileText, bounded, from_pages
from ingest.formats.office.attachment import Attachments
from ingest.formats.office.notice import Notices
from ingest.formats.office.number_format import BUILT_IN, GENERAL
from ingest.formats.office.package import Package, attribute, qn, whole_number
from ingest.formats.office.workbook.over import OverReader
from ingest.formats.office.workbook.page import SheetPage, write_page
from ingest.formats.office.workbook.remark import remarks
from ingest.formats.office.workbook.sheet import Area, Budget, Sheet, SheetReader, area, rich_text
from rag.errors import UnreadableFile


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A sheet as the workbook lists it."""

    title: str
    part: str
    is_hidden: bool
    is_chart: bool


def read(data: bytes, name: str, limits: FileLimits) -> FileText:
    """Write each sheet as a heading and its tables: cached values of formulas, the formula where none is.

    Raises:
        UnreadableFile: if there are more sheets, cells or characters than the bounds allow.
    """
    package = Package(Archive(data, name, limits))
    main = package.main
    book = package.xml(main)
    entries = list(_entries(package, main, book))
    if len(entries) > limits.max_pages:
        raise UnreadableFile(
            f"{name} has {len(entries):,} sheets; expected at most {limits.max_pages:,}. Split it."
        )
    budget = Budget(name, limits)
    reader = SheetReader(
        list(_shared_texts(package, main, limits)),
        list(_formats(package, main)),
        attribute(book, "s:workbookPr", "date1904") in ("1", "true"),
        budget,
    )
    sheets = [Sheet() if one.is_chart else reader.read(package.archive.xml(one.part)) for one in entries]
    notices = Notices()
    attachments = Attachments(package.archive, notices)
    cells = Cells({entry.title: sheet for entry, sheet in zip(entries, sheets, strict=True)})
    pages = []
    for entry, sheet in zip(entries, sheets, strict=True):
        place = f"sheet “{entry.title}”"
        over = OverReader(package, place, notices, cells.text)
        page = _page(package, entry, sheet)
        pages.append(write_page(page, over.blocks(entry.part, chart_only=entry.is_chart), budget))
        _note_unread(package, entry, sheet, notices, attachments)
    if attachments.texts() and pages:
        pages[-1] = "\n\n".join(filter(None, [pages[-1], *attachments.texts()]))
    if any(member.endswith("vbaProject.bin") for member in package.archive.names):
        notices.note("macro", "")
    return from_pages(pages, package.properties(), notices.omissions())


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of all sheets, for references such as 'Plan 2031'!$B$1."""

    sheets: dict[str, Sheet]

    def text(self, reference: str) -> str:
        """Return the text of the first cell that a reference names; "" if there is none."""
        title, _, cells = reference.rpartition("!")
        sheet = self.sheets.get(title.strip("'").replace("''", "'"))
        found = area(cells)
        if sheet is None or found is None:
            return ""
        return str(sheet.rows.get(found.top, {}).get(found.left, ""))


def _entries(package: Package, main: str, book: Any) -> Iterator[SheetEntry]:
    relations = package.relations(main)
    for sheet in book.iter(qn("s:sheet")):
        found = relations.get(sheet.get(qn("r:id"), ""))
        if (
            found is None
            or found.kind not in ("worksheet", "chartsheet")
            or found.target not in package.archive
        ):
            continue
        hidden = sheet.get("state") in ("hidden", "veryHidden")
        yield SheetEntry(sheet.get("name", ""), found.target, hidden, found.kind == "chartsheet")


def _shared_texts(package: Package, main: str, limits: FileLimits) -> Iterator[str]:
    """Yield the texts that cells refer to by number."""
    for part in package.related(main, "sharedStrings"):
        root = package.xml(part)
        items = (rich_text(item).strip() for item in root.findall(qn("s:si")))
        yield from bounded(items, package.archive.name, limits)


def _formats(package: Package, main: str) -> Iterator[str]:
    """Yield the number format of each cell style."""
    for part in package.related(main, "styles"):
        root = package.xml(part)
        codes = dict(BUILT_IN)
        for one in root.iter(qn("s:numFmt")):
            codes[whole_number(one.get("numFmtId"), -1)] = one.get("formatCode", GENERAL)
        styles = root.find(qn("s:cellXfs"))
        for style in [] if styles is None else styles:
            yield codes.get(whole_number(style.get("numFmtId")), GENERAL)


def _page(package: Package, entry: SheetEntry, sheet: Sheet) -> SheetPage:
    relations = package.relations(entry.part)
    links = {
        place: relations[relation].target
        for place, relation in sheet.links.items()
        if relation in relations and relations[relation].external
    }
    tables = [table for part in package.related(entry.part, "table") for table in _table(package.xml(part))]
    return SheetPage(entry.title, sheet, remarks(package, entry.part), links, tables, entry.is_hidden)


def _table(root: Any) -> Iterator[tuple[str, Area, int]]:
    found = area(root.get("ref", ""))
    if found is not None:
        yield (
            root.get("displayName") or root.get("name", ""),
            found,
            whole_number(root.get("headerRowCount"), 1),
        )


def _note_unread(
    package: Package, entry: SheetEntry, sheet: Sheet, notices: Notices, attachments: Attachments
) -> None:
    place = f"sheet “{entry.title}”"
    if sheet.unseen:
        notices.note("hidden value", place, sheet.unseen)
    if sheet.unknown:
        notices.note("formula without a stored value", place, sheet.unknown)
    for relation in dict.fromkeys(sheet.objects):
        found = package.relations(entry.part).get(relation)
        if found is not None and not found.external:
            attachments.add(found.target, place)
