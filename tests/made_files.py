"""Real files for the tests of loading, made with the libraries that people use."""

import io
import zipfile
from collections.abc import Callable
from datetime import date

import docx
import openpyxl
import pptx
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def make_pdf(*pages: list[str], encrypt: StandardEncryption | None = None) -> bytes:
    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=encrypt)
    canvas.setTitle("Annual report")
    canvas.setAuthor("A. Author")
    for lines in pages:
        text = canvas.beginText(72, 700)
        for line in lines:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def make_docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Manual"
    document.core_properties.author = "Ann"
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.add_heading("The pump", 1)
    document.add_paragraph("It pumps\nwater.")
    document.add_heading("Parts", 2)
    document.add_paragraph("valve", style="List Bullet")
    document.add_paragraph("seal", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["part", "price|€", "valve", "12"], strict=True):
        cell.text = text
    document.add_paragraph("The end.")
    return saved(document.save)


def make_pptx() -> bytes:
    deck = pptx.Presentation()
    deck.core_properties.title = "Deck"
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Plan"
    frame = first.placeholders[1].text_frame
    frame.text = "buy"
    frame.add_paragraph().text = "sell"
    frame.paragraphs[1].level = 1
    first.notes_slide.notes_text_frame.text = "Speak slowly."
    deck.slides.add_slide(deck.slide_layouts[6])  # blank
    third = deck.slides.add_slide(deck.slide_layouts[6])
    table = third.shapes.add_table(2, 2, 0, 2_000_000, 5_000_000, 1_000_000).table
    for index, text in enumerate(["a", "b", "1", "2"]):
        table.cell(index // 2, index % 2).text = text
    third.shapes.add_textbox(0, 1_000_000, 5_000_000, 500_000).text_frame.text = "above"
    return saved(deck.save)


def make_xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.properties.title = "Budget"
    sheet = book.worksheets[0]
    sheet.title = "2024"
    for row, (item, when, cost) in enumerate([("item", "when", "cost"), ("pump", date(2024, 1, 2), 12.0)], 3):
        sheet.cell(row, 2, item)  # column C stays empty
        sheet.cell(row, 4, when)
        sheet.cell(row, 5, cost)
    sheet["B6"], sheet["E6"], sheet["E7"] = "sum", "=SUM(E4:E4)", 0.25
    sheet["E7"].number_format = "0%"
    book.create_sheet("empty")
    book.create_sheet("notes")["A1"] = "a|b"
    return saved(book.save)


def make_zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def with_member(data: bytes, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return make_zip({**{member: archive.read(member) for member in archive.namelist()}, name: content})
