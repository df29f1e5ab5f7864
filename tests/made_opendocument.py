"""OpenDocument files: the XML of their parts in a zip, as LibreOffice writes them."""

import zipfile
from io import BytesIO

_NAMESPACES = {
    **{
        kind: f"urn:oasis:names:tc:opendocument:xmlns:{kind}:1.0"
        for kind in ("office", "text", "table", "style", "meta", "presentation", "chart")
    },
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "dc": "http://purl.org/dc/elements/1.1/",
    "math": "http://www.w3.org/1998/Math/MathML",
}
_SPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
_TYPES = {"text": "text", "spreadsheet": "spreadsheet", "presentation": "presentation"}


def open_document(
    kind: str, body: str, automatic: str = "", masters: str = "", more: dict[str, str] | None = None
) -> bytes:
    """Make a file whose body is the content of an office:text, office:spreadsheet or office:presentation.

    `automatic` holds styles, `masters` master pages, `more` the XML of other members, without its namespaces.
    """
    content = (
        f"<office:document-content><office:automatic-styles>{automatic}</office:automatic-styles><office:body>"
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    styles = f"<office:document-styles><office:master-styles>{masters}</office:master-styles></office:document-styles>"
    members = {"content.xml": content, "styles.xml": styles, **(more or {})}
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{_TYPES[kind]}")
        for name, text in members.items():
            tag = text[1:].split(">")[0].split("/")[0].split(" ")[0]
            archive.writestr(name, text.replace(f"<{tag}", f"<{tag} {_SPACES}", 1))
    return stream.getvalue()


def rows(*lines: list[str], name: str = "Sheet1") -> str:
    """Write a table of texts; numbers are marked as such."""
    written = ""
    for line in lines:
        cells = "".join(
            f'<table:table-cell office:value-type="{"float" if text.replace(".", "").isdigit() else "string"}">'
            f"<text:p>{text}</text:p></table:table-cell>"
            for text in line
        )
        written += f"<table:table-row>{cells}</table:table-row>"
    return f'<table:table table:name="{name}">{written}</table:table>'


def slide(shapes: str, name: str = "page1") -> str:
    """Write a slide."""
    return f'<draw:page draw:name="{name}" draw:master-page-name="M">{shapes}</draw:page>'


def box(text: str, left: int = 0, top: int = 0, kind: str = "") -> str:
    """Write a text box of a slide, in centimetres."""
    presentation = f' presentation:class="{kind}"' if kind else ""
    return (
        f'<draw:frame svg:x="{left}cm" svg:y="{top}cm" svg:width="4cm" svg:height="1cm"{presentation}>'
        f"<draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
    )
