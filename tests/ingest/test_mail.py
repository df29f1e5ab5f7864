"""Messages with all that is in them, as a reader of them would see it."""

import struct
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from ingest.formats.file_text import Omission
from ingest.formats.mail.body import chosen, flowed
from ingest.formats.mail.letter import demoted
from ingest.formats.mail.rtf_body import unpacked
from ingest.load import load
from rag.errors import UnreadableFile
from tests.made_files import make_docx
from tests.made_messages import make_msg, message, properties


def letter(subject: str, text: str, **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["Subject"] = "Ann <ann@x.org>", subject
    for name, value in headers.items():
        made[name] = value
    made.set_content(text)
    return made


def test_forwarded_message_and_attachments_are_read() -> None:
    forwarded = letter("Broken lift", "The mechanic comes on Thursday at ten.\n")
    forwarded.add_attachment(
        b"part;price\ngearbox;1840\n", maintype="text", subtype="csv", filename="offer.csv"
    )
    outer = letter("Report", "See below.\n", Cc="=?iso-8859-1?q?J=F6rg?= <j@x.org>")
    outer.add_attachment(make_docx(), maintype="application", subtype="octet-stream", filename="minutes.docx")
    outer.add_attachment(forwarded)
    loaded = load(bytes(outer), "box/mail.eml")
    assert loaded.text.startswith(
        "From: Ann <ann@x.org>\nCc: Jörg <j@x.org>\nSubject: Report\n"
        "Attachments: minutes.docx, Broken lift\n\nSee below."
    )
    assert "\n\n## mail.eml › minutes.docx\n\nConfidential\n\n### The pump\n\n" in loaded.text
    assert "\n\n## mail.eml › Broken lift\n\nFrom: Ann" in loaded.text
    assert "The mechanic comes on Thursday at ten." in loaded.text
    assert loaded.text.endswith(
        "\n\n## mail.eml › Broken lift › offer.csv\n\n| part | price |\n| --- | --- |\n| gearbox | 1840 |"
    )
    assert loaded.omissions == ()


def test_what_is_not_read_is_named() -> None:
    outer = letter("Report", "See below.\n")
    outer.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="p.png")
    outer.add_attachment(b"x", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    outer.add_attachment(b"PK\x03\x04", maintype="application", subtype="zip", filename="a.docx")
    assert [str(it.place) for it in load(bytes(outer), "a.eml").omissions] == [
        "p.png is a PNG image",
        "winmail.dat is wrapped in Outlook's own format",
        "a.docx is a zip-based file whose directory is missing, empty or too long",
    ]


def test_messages_within_messages_are_bounded() -> None:
    inner = letter("L0", "level 0")
    for level in range(1, 8):
        outer = letter(f"L{level}", f"level {level}")
        outer.add_attachment(inner)
        inner = outer
    loaded = load(bytes(inner), "a.eml")
    assert [level for level in range(8) if f"level {level}" in loaded.text] == [3, 4, 5, 6, 7]
    assert loaded.omissions[0].kind == "message"
    stored = bytes(letter("L0", "level 0"))
    for level in range(1, 8):
        outer = letter(f"L{level}", f"level {level}")
        outer.add_attachment(stored, maintype="application", subtype="octet-stream", filename="m.eml")
        stored = bytes(outer)
    loaded = load(stored, "a.eml")
    assert "level 4" in loaded.text
    assert "lies within more than 4 other files" in loaded.omissions[0].place


def test_headers_and_parts_that_are_malformed() -> None:
    raw = "From: Jürgen <j@x.org>\nSubject: Grüße\nContent-Type: text/plain\n\nGrün, 5 €\n".encode("cp1252")
    assert load(raw, "a.eml").text == "From: Jürgen <j@x.org>\nSubject: Grüße\n\nGrün, 5 €"
    unparted = b"From: a@x.org\nSubject: s\nContent-Type: multipart/mixed\n\nHello.\n"
    assert load(unparted, "a.eml").text.endswith("\n\nHello.")
    report = (
        b"From: a@x.org\nSubject: s\nContent-Type: multipart/report; boundary=b\n\n--b\n\nIt failed.\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x.org\n\nAction: failed\n--b--\n"
    )
    assert load(report, "a.eml").text.endswith("It failed.\n\nReporting-MTA: dns; x.org\n\n\nAction: failed")


def test_versions_of_a_body() -> None:
    assert chosen(
        "To view this, use an HTML program.", "Order 8812 leaves on 9 March.\n\nThank you all."
    ) == ("Order 8812 leaves on 9 March.\n\nThank you all.")
    assert chosen("Hello Ann, it is on.", "Hello Ann, it is on.") == "Hello Ann, it is on."
    table = "Prices\n\n| Item | Price |\n| --- | --- |\n| Kettle | 39 |"
    assert chosen("Prices Item Price Kettle 39", table) == table
    plain, rich = "one two three " * 20, "four five six " * 20
    assert chosen(plain, rich) == f"{plain.strip()}\n\n{rich}"
    assert chosen("", rich) == rich


def test_flowed_lines_are_joined() -> None:
    assert (
        flowed("A long \r\nline.\r\n> quoted \r\n> too\r\n-- \r\nAnn")
        == "A long line.\n> quoted too\n-- \nAnn"
    )


def test_headings_go_down_except_in_code() -> None:
    assert demoted("# A\n\n```\n# b\n```\n##### C", 2) == "### A\n\n```\n# b\n```\n###### C"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG", "S/MIME"),
        (b"\n-----BEGIN PGP MESSAGE-----\nxx\n-----END PGP MESSAGE-----\n", "PGP"),
        (
            b"Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\n--b--",
            "PGP",
        ),
    ],
)
def test_encrypted_messages_are_refused(source: bytes, kind: str) -> None:
    with pytest.raises(UnreadableFile, match=rf"a.eml is encrypted \({kind}\); open it in your mail program"):
        load(b"From: a@x.org\nSubject: s\n" + source, "a.eml")


INVITATION = """BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Lift\\, hall 3
DTSTART;TZID=Europe/Berlin:20310304T100000
LOCATION:Main
  hall
ATTENDEE;CN="Ann: B":mailto:ann@x.org
BEGIN:VALARM
DESCRIPTION:ring
END:VALARM
END:VEVENT
END:VCALENDAR
"""


def test_invitations_read_as_lines() -> None:
    expected = (
        "## Event: Lift, hall 3\n\nStart: 2031-03-04 10:00 (Europe/Berlin)\nLocation: Main hall\n"
        "Attendee: Ann: B <ann@x.org>"
    )
    assert load(INVITATION.encode(), "a.ics").text == expected
    outer = letter("Invitation", "Please come.\n")
    outer.add_alternative(INVITATION, subtype="calendar")
    assert load(bytes(outer), "a.eml").text.endswith(f"Please come.\n\n{expected}")


def test_mailbox_has_a_page_for_each_message() -> None:
    box = (
        b"From a@x.org Mon Jan  2 03:04:05 2023\nFrom: a@x.org\nSubject: One\n\nFirst.\n>From here on.\n\n"
        b"From b@x.org Mon Jan  2 03:04:05 2023\nFrom: b@x.org\nSubject: Two\n\nSecond.\n"
    )
    loaded = load(box, "in.mbox")
    first = "# One\n\nFrom: a@x.org\nSubject: One\n\nFirst.\nFrom here on."
    assert loaded.text == f"{first}\n\n# Two\n\nFrom: b@x.org\nSubject: Two\n\nSecond."
    assert loaded.pages == (0, len(first) + 2)


def test_outlook_message() -> None:
    inner = message(
        {"0037": "Inner", "1000": "Inner text.", "0C1A": "Cid"},
        attachments=[properties({"3707": "t.csv", "3701": b"k;v\na;1\n"})],
        inner=True,
    )
    role = struct.pack("<8xIIQ", 0x0C15_0003, 6, 2)
    made = make_msg(
        {
            **{"0037": "Grüße", "1000": "Hello.", "0C1A": "Ann", "5D01": "ann@x.org"},
            "1013": "<p>Hello.</p><table><tr><th>a<th>b<tr><td>1<td>é</table>".encode("cp1252"),
        },
        attachments=[{"__substg1.0_3701000D": inner}, properties({"3707": "m.docx", "3701": make_docx()})],
        recipients=[{**properties({"3001": "Cy", "39FE": "c@x.org"}), "__properties_version1.0": role}],
        sent=datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
    )
    loaded = load(made, "a.msg")
    assert loaded.text.startswith(
        "From: Ann <ann@x.org>\nCc: Cy <c@x.org>\nDate: Mon, 03 Feb 2031 04:05:06 +0000\nSubject: Grüße\n"
        "Attachments: Inner, m.docx\n\nHello.\n\n| a | b |\n| --- | --- |\n| 1 | é |\n\n## a.msg › Inner\n\n"
        "From: Cid\nSubject: Inner\nAttachments: t.csv\n\nInner text.\n\n## a.msg › Inner › t.csv\n\n| k | v |"
    )
    assert "## a.msg › m.docx" in loaded.text
    assert loaded.metadata["date"] == "2031-02-03T04:05:06+00:00"
    with pytest.raises(UnreadableFile, match="damaged"):
        load(made[:3000] + made[-2000:], "a.msg")


def test_rich_text_of_outlook() -> None:
    # The example of [MS-OXRTFCP], 3.1.
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert load(make_msg({"0037": "s", "1009": packed}), "a.msg").text == "Subject: s\n\nhello world"
    loaded = load(make_msg({"0037": "s", "0C1A": "Ann", "1009": b"no rich text at all"}), "a.msg")
    assert loaded.omissions == (Omission("text in Outlook's own format", "body"),)
