"""What lies over a sheet's cells: text boxes, charts, SmartArt, pictures, labels of controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats.office.chart import chart_title, series_names, write_chart
from ingest.formats.office.diagram import write_diagram
from ingest.formats.office.drawing import alternative_text, lines_of, write_lines
from ingest.formats.office.notice import Notices
from ingest.formats.office.package import Package, qn, short

_NOTE = "Note"


@dataclass(slots=True)
class OverReader:
    """Reads the drawings of one sheet."""

    package: Package
    place: str
    notices: Notices
    lookup: Callable[[str], str]  # the text of the cell that a reference names

    def blocks(self, sheet: str, *, chart_only: bool) -> Iterator[str]:
        """Yield what is drawn on a sheet, each text once.

        Args:
            sheet: the sheet's part.
            chart_only: the sheet is a chart, whose values are written too; otherwise they stand in cells.
        """
        seen: set[str] = set()
        for drawing in self.package.related(sheet, "drawing"):
            for text in self._shapes(self.package.xml(drawing), drawing, chart_only=chart_only):
                if text.strip() and text not in seen:
                    seen.add(text)
                    yield text
        for drawing in self.package.related(sheet, "vmlDrawing"):
            for text in _control_labels(self.package.xml(drawing)):
                if text not in seen:
                    seen.add(text)
                    yield text

    def _shapes(self, parent: Any, drawing: str, *, chart_only: bool) -> Iterator[str]:
        for child in parent:
            match short(child.tag):
                case "xdr:txBody":
                    yield write_lines(lines_of(child, lambda relation: self._link(drawing, relation)))
                case "xdr:cNvPr":
                    yield alternative_text(child.get("title"), child.get("descr"))
                case "xdr:blipFill":
                    self.notices.note("image", self.place)
                case "c:chart" | "cx:chart":
                    yield self._chart(drawing, child.get(qn("r:id")), chart_only=chart_only)
                case "dgm:relIds":
                    root = self._target(drawing, child.get(qn("r:dm")))
                    yield "" if root is None else write_diagram(root)
                case "mc:AlternateContent":
                    yield from self._alternatives(child, drawing, chart_only=chart_only)
                case _:
                    yield from self._shapes(child, drawing, chart_only=chart_only)

    def _alternatives(self, element: Any, drawing: str, *, chart_only: bool) -> Iterator[str]:
        for alternative in element:
            blocks = [
                text for text in self._shapes(alternative, drawing, chart_only=chart_only) if text.strip()
            ]
            if blocks:
                yield from blocks
                return

    def _chart(self, drawing: str, relation: str | None, *, chart_only: bool) -> str:
        root = self._target(drawing, relation)
        if root is None:
            self.notices.note("chart", self.place)
            return ""
        names = [*series_names(root), *filter(None, map(self.lookup, _name_references(root)))]
        series = ", ".join(dict.fromkeys(names))
        if (
            chart_only
            or root.find(f".//{qn('c:externalData')}") is not None
            or short(root.tag) == "cx:chartSpace"
        ):
            return write_chart(root)
        axes = ", ".join(_axis_names(root))
        details = "; ".join(filter(None, [series and f"series: {series}", axes and f"axes: {axes}"]))
        return f"Chart: {chart_title(root)}".rstrip() + (f" ({details})" if details else "")

    def _target(self, part: str, relation: str | None) -> Any:
        found = self.package.relations(part).get(relation or "")
        return None if found is None or found.external else self.package.xml(found.target)

    def _link(self, part: str, relation: str) -> str:
        found = self.package.relations(part).get(relation)
        return found.target if found is not None and found.external else ""


def _name_references(root: Any) -> Iterator[str]:
    """Yield where the names of series without a cached name stand, such as "Sheet1!$B$1"."""
    for series in root.iter(qn("c:ser")):
        name = series.find(qn("c:tx"))
        if name is not None and name.find(f".//{qn('c:v')}") is None:
            yield name.findtext(f".//{qn('c:f')}") or ""


def _axis_names(root: Any) -> Iterator[str]:
    for axis in root.iter(qn("c:catAx"), qn("c:dateAx"), qn("c:valAx")):
        title = axis.find(qn("c:title"))
        text = (
            ""
            if title is None
            else " ".join("".join(one.text or "" for one in title.iter(qn("a:t"))).split())
        )
        if text:
            yield text


def _control_labels(root: Any) -> Iterator[str]:
    """Yield the labels of buttons and check boxes; the boxes of comments are drawn in the same part."""
    for shape in [] if root is None else root.iter(qn("v:shape")):
        data = [one for one in shape if str(one.tag).endswith("}ClientData")]
        box = shape.find(qn("v:textbox"))
        if box is not None and data and data[0].get("ObjectType") != _NOTE:
            text = " ".join(" ".join(box.itertext()).split())
            if text:
                yield text
