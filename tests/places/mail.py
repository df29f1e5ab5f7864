"""Where a message can hold text."""

from collections.abc import Callable
from email.message import EmailMessage

from tests.made_files import make_docx, with_member
from tests.made_messages import make_msg, message, properties
from tests.places import Place


def _letter(text: str = "Seen.\n", **headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in ({"From": "a@x.org", "Subject": "s"} | headers).items():
        made[name] = value
    made.set_content(text)
    return made


def _eml(
    where: str, fill: Callable[[EmailMessage, str], object], omitted: str = "", *, repeats: bool = False
) -> Place:
    def make(word: str) -> bytes:
        made = _letter()
        fill(made, word)
        return bytes(made)

    return Place("eml", where, make, omitted, repeats)


def _attached(
    data: Callable[[str], bytes], name: str, kind: str = "application/octet-stream"
) -> Callable[[EmailMessage, str], object]:
    main, sub = kind.split("/")
    return lambda made, word: made.add_attachment(
        data(word), maintype=main, subtype=sub, filename=name.replace("WORD", word)
    )


def _docx(word: str) -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = (
        f'<w:document xmlns:w="{space}"><w:body><w:p><w:r><w:t>{word}</w:t></w:r></w:p></w:body></w:document>'
    )
    return with_member(make_docx(), "word/document.xml", body.encode())


def _forwarded(made: EmailMessage, word: str) -> None:
    inner = _letter(Subject="inner")
    inner.add_attachment(word.encode(), maintype="text", subtype="plain", filename="a.txt")
    made.add_attachment(inner)


def _html(source: str) -> Callable[[EmailMessage, str], object]:
    return lambda made, word: made.add_alternative(source.replace("WORD", word), subtype="html")


def _calendar(made: EmailMessage, word: str) -> None:
    made.add_alternative(
        f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:{word}\nEND:VEVENT\nEND:VCALENDAR\n", subtype="calendar"
    )


def _msg(where: str, make: Callable[[str], bytes]) -> Place:
    return Place("msg", where, make)


PLACES = [
    Place("eml", "the subject", lambda word: bytes(_letter(Subject=word)), repeats=True),
    Place("eml", "an encoded name", lambda word: bytes(_letter(Cc=f"=?utf-8?q?{word}_=C3=A9?= <b@x.org>"))),
    Place("eml", "the recipient", lambda word: bytes(_letter(To=f"{word}@x.org"))),
    Place("eml", "the text", lambda word: bytes(_letter(f"{word}\n"))),
    Place("eml", "a quoted reply", lambda word: bytes(_letter(f"Yes.\n\n> {word}\n"))),
    Place("eml", "the signature", lambda word: bytes(_letter(f"Yes.\n\n-- \n{word}\n"))),
    _eml("the HTML version", _html("<p>Quite another text, with the WORD in it, and more.</p>")),
    _eml("a table of the HTML version", _html("<p>Seen.</p><table><tr><th>a<th>b<tr><td>1<td>WORD</table>")),
    _eml("a quotation of the HTML version", _html("<p>Seen.</p><blockquote>WORD</blockquote>")),
    _eml("an attached text", _attached(str.encode, "a.txt", "text/plain")),
    _eml("an attached document", _attached(_docx, "a.docx")),
    _eml("an attached page", _attached(lambda word: f"<p>{word}".encode(), "a.html", "text/html")),
    _eml("an attached table", _attached(lambda word: f"a,b\n1,{word}\n".encode(), "a.csv", "text/csv")),
    _eml("an attachment's name", _attached(lambda _: b"text", "WORD.txt", "text/plain"), repeats=True),
    _eml("a forwarded message", lambda made, word: made.add_attachment(_letter(word))),
    _eml("an attachment of a forwarded message", _forwarded),
    _eml("an attached message", _attached(lambda word: bytes(_letter(word)), "a.eml")),
    _eml("an invitation", _calendar),
    _eml("an attached card", _attached(lambda word: f"BEGIN:VCARD\nFN:{word}\nEND:VCARD\n".encode(), "a.vcf", "text/vcard")),
    _eml("a picture", _attached(lambda word: b"\x89PNG\r\n\x1a\n" + word.encode(), "a.png", "image/png"), "image"),
    _eml("a wrapped attachment", _attached(str.encode, "winmail.dat", "application/ms-tnef"), "attachment"),
    _eml("an archive", _attached(lambda word: b"Rar!\x1a\x07" + word.encode(), "a.rar"), "attachment"),
    _msg("the subject", lambda word: make_msg({"0037": word, "1000": "x"})),
    _msg("the sender", lambda word: make_msg({"0037": "s", "0C1A": word, "1000": "x"})),
    _msg("the text", lambda word: make_msg({"0037": "s", "1000": word})),
    _msg("the HTML version", lambda word: make_msg({"0037": "s", "1013": f"<p>{word}</p>".encode()})),
    _msg("a recipient", lambda word: make_msg({"0037": "s", "1000": "x"}, recipients=[properties({"3001": word})])),
    _msg("an attachment", lambda word: make_msg({"0037": "s"}, attachments=[properties({"3707": "a.txt", "3701": word.encode()})])),
    _msg("a message within", lambda word: make_msg({"0037": "s"}, attachments=[
        {"__substg1.0_3701000D": message({"0037": "i", "1000": word}, inner=True)}])),
    Place("mbox", "the second message", lambda word: (
        b"From a@x Mon Jan 2 03:04:05 2023\nSubject: a\n\nx\n\nFrom a@x Mon Jan 2 03:04:05 2023\nSubject: b\n\n" + word.encode())),
]  # fmt: skip
