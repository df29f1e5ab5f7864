"""Bytes of many encodings become the text that was meant, and what was mended is named."""

import pytest

from ingest.formats.encoding.decode import decode
from ingest.formats.encoding.labels import codec_of
from ingest.formats.file_text import Omission
from ingest.load import load
from rag.errors import UnreadableFile

# A text as people write it, and the encodings that it is found in.
TEXTS = [
    ("Die Gebühr für Händler beträgt 14 € je Tag – größere Stände zahlen mehr.", "cp1252"),
    ("Straße, Größe, Übergröße", "mac_roman"),
    ("Straße, Größe, Übergröße", "cp850"),
    ("Le café coûte 3 € et l’entrée est gratuite après dix-huit heures.", "cp1252"),
    ("Die Gebühr für Händler: 14 € je Tag", "iso8859-15"),
    ("La biblioteca è aperta dalle nove, e la città è piena di caffè.", "cp1252"),
    ("El niño cogió el autobús; ¿cuánto costó la entrada?", "cp1252"),
    ("Zażółć gęślą jaźń, proszę przynieść książkę", "cp1250"),
    ("Zażółć gęślą jaźń, proszę przynieść książkę", "iso8859-2"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy v měsíční záři", "cp1250"),
    ("A könyvtár hétfőtől péntekig nyitva, a belépő ára öt forint, gyűjtők félárú jegyet", "cp1250"),
    ("Kütüphane pazartesi günü kapalıdır, çocuklar için giriş ücretsizdir", "cp1254"),
    ("Библиотека открыта с девяти часов, вход свободный", "cp1251"),
    ("Библиотека открыта с девяти часов, вход свободный", "koi8-r"),
    ("Библиотека открыта с девяти часов, вход свободный", "cp866"),
    ("Η βιβλιοθήκη ανοίγει στις εννέα το πρωί", "cp1253"),
    ("הספרייה נפתחת בשעה תשע בבוקר", "cp1255"),
    ("تفتح المكتبة أبوابها في الساعة التاسعة", "cp1256"),
    ("博物館は午前十時に開館します。① 髙橋", "cp932"),
    ("博物館は午前十時に開館します。", "euc_jp"),
    ("博物館は午前十時に開館します。", "iso2022_jp"),
    ("博物馆上午十点开门，门票八十元。", "gb18030"),
    ("博物館上午十點開門，門票八十元。", "big5"),
    ("박물관은 오전 열 시에 문을 엽니다.", "cp949"),
    ("박물관은 오전 열 시에 문을 엽니다.", "iso2022_kr"),
    ("พิพิธภัณฑ์เปิดเวลาสิบโมงเช้าทุกวัน", "cp874"),
    ("Библиотека открыта с девяти часов", "utf-16-le"),
    ("博物館 10:00 に開館\n", "utf-16-be"),
]


@pytest.mark.parametrize(("text", "encoding"), TEXTS)
def test_text_of_an_encoding_that_nothing_states(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding), "a.txt")
    assert (decoded.text, decoded.omissions) == (text, ())


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("iso-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        (" Latin1 ", "cp1252"),
        ("shift_jis", "cp932"),
        ("x-sjis", "cp932"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("iso-8859-9", "cp1254"),
        ("utf8", "utf-8"),
        ("no such thing", None),
        ("base64", None),
        (None, None),
    ],
)
def test_labels_as_browsers_read_them(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


def test_page_that_calls_windows_latin() -> None:
    page = '<meta charset="iso-8859-1"><p>“Blue” maps cost 5 € – the café’s price is 7 €.'
    assert load(page.encode("cp1252"), "a.html").text == "“Blue” maps cost 5 € – the café’s price is 7 €."


def test_lines_of_another_encoding_among_utf8() -> None:
    known = "Gebührenordnung der Stadt Möwenburg.\n" * 3
    loaded = load(known.encode() + "Nachtrag: Getränkestände 6 €.\n".encode("cp1252"), "a.txt")
    assert loaded.text == known + "Nachtrag: Getränkestände 6 €.\n"
    assert loaded.omissions == (Omission("byte read as Windows-1252 among UTF-8", "line 4", 3),)
    russian = "Библиотека открыта.\n"
    assert load(russian.encode() * 3 + russian.encode("cp1251"), "a.txt").text == russian * 4
    polish = "Zażółć gęślą jaźń.\n"
    assert load(polish.encode() * 3 + polish.encode("cp1250"), "a.txt").text == polish * 4


def test_one_byte_within_a_line_of_utf8() -> None:
    decoded = decode("Größe und Übermaß: 5 ".encode() + b"\x80.\r\nzweite Zeile", "a.txt")
    assert decoded.text == "Größe und Übermaß: 5 €.\r\nzweite Zeile"
    assert decoded.omissions[0].place == "line 1"
    marked = decode(b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe \xe9", "a.txt")
    assert marked.text == "Größe é"


def test_capitals_beside_quotation_marks_are_no_utf8() -> None:
    # These two bytes would make a Syriac letter.
    assert decode("Der Knopf »MENÜ« öffnet die Übersicht.".encode("cp1252"), "a.txt").text.startswith(
        "Der Knopf »MENÜ« öffnet"
    )


def test_bytes_that_are_no_text_are_named_or_refused() -> None:
    text = "博物館は午前十時に開館します。" * 20
    data = text.encode("cp932")
    decoded = decode(data + b"\n\x81\n", "a.txt", "shift_jis")
    assert decoded.text == f"{text}\n\ufffd\n"
    assert decoded.omissions == (Omission("byte that is no Shift_JIS", "line 2", 1),)
    with pytest.raises(UnreadableFile, match="binary"):
        decode(bytes(range(256)) * 4, "a.txt")
