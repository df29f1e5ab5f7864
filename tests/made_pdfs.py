"""PDFs for the tests, drawn word by word so that their order, fonts and places are known."""

import ctypes
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import pypdfium2
from pypdfium2 import raw
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = 595, 842
Draw = Callable[[Canvas], object]


def drawn(*pages: Draw, **options: object) -> bytes:
    """Make a PDF of pages, each drawn by a function; the origin is the bottom left."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=(WIDTH, HEIGHT), **options)
    for draw in pages:
        canvas.setFont("Helvetica", 10)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def lines(canvas: Canvas, x: float, y: float, texts: Sequence[str], step: float = 12) -> float:
    """Draw lines from y downwards; return the y of the next one."""
    for text in texts:
        canvas.drawString(x, y, text)
        y -= step
    return y


def wrapped(canvas: Canvas, text: str, width: float, font: str = "Helvetica", size: float = 10) -> list[str]:
    """Break a text into the lines that fit a width, as a typesetter does."""
    result: list[str] = []
    for word in text.split():
        if result and canvas.stringWidth(f"{result[-1]} {word}", font, size) <= width:
            result[-1] += f" {word}"
        else:
            result.append(word)
    return result


def table(
    canvas: Canvas, y: float, rows: Sequence[Sequence[str]], edges: Sequence[float], *, ruled: bool = False
) -> float:
    """Draw rows of cells that begin at the edges, numbers flush right; the last edge ends the table."""
    top = y + 11
    for row in rows:
        for at, text in enumerate(row):
            if at and text[:1] in "0123456789$(":
                canvas.drawRightString(edges[at + 1] - 4, y, text)
            else:
                canvas.drawString(edges[at] + 2, y, text)
        y -= 14
    if ruled:
        canvas.grid(list(edges), [top - 14 * at for at in range(len(rows) + 1)])
    return y


def unicode_font(canvas: Canvas, size: float = 14) -> None:
    """Use a font that has Arabic and Hebrew."""
    name = "DejaVuSans"
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(
            TTFont(name, str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"))
        )
    canvas.setFont(name, size)


def picture(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    """Draw an image without text."""
    from PIL import Image

    canvas.drawImage(ImageReader(Image.new("RGB", (64, 64), (120, 160, 90))), x, y, width, height)


def with_attachment(data: bytes, name: str, content: bytes) -> bytes:
    """Embed a file in a PDF."""
    document = pypdfium2.PdfDocument(data)
    wide = (ctypes.c_ushort * (len(name) + 1))(*map(ord, name), 0)
    attachment = raw.FPDFDoc_AddAttachment(document.raw, wide)
    assert raw.FPDFAttachment_SetFile(attachment, document.raw, content, len(content))
    stream = io.BytesIO()
    document.save(stream)
    document.close()
    return stream.getvalue()


def with_annotation(data: bytes, subtype: int, strings: dict[str, str], *, flags: int = 4) -> bytes:
    """Lay an annotation of a subtype on the first page, with such entries."""
    document = pypdfium2.PdfDocument(data)
    page = document[0]
    annotation = raw.FPDFPage_CreateAnnot(page.raw, subtype)
    raw.FPDFAnnot_SetRect(annotation, raw.FS_RECTF(100, 420, 300, 400))
    raw.FPDFAnnot_SetFlags(annotation, flags)
    for key, text in strings.items():
        wide = (ctypes.c_ushort * (len(text) + 1))(*map(ord, text), 0)
        raw.FPDFAnnot_SetStringValue(annotation, key.encode(), wide)
    raw.FPDFPage_CloseAnnot(annotation)
    stream = io.BytesIO()
    document.save(stream)
    document.close()
    return stream.getvalue()


# Texts of two columns, and a table.
LEFT = (
    "The garden was laid out by a physician who wanted herbs at hand all year. Its walls keep the wind off, and a pond "
    "warms the beds in spring. Nothing is sold, but seeds are given away on Sundays to those who ask."
)
RIGHT = (
    "The tower was built of brick and lime a century later. A bell of nine hundred kilos hangs in it, cast from coins. "
    "It is rung at noon and when the river rises above the second mark on the bridge."
)
SITES = [
    ["Site", "Opened", "Staff", "Energy (MWh)"],
    *[[f"Site {n}", str(1950 + n), str(n * 7), f"{n}.5"] for n in range(1, 61)],
]
