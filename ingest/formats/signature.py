"""Which format a file has: its suffix says, its first bytes confirm."""

from pathlib import PurePosixPath

from ingest.formats.archive import member_names, stated_type
from rag.errors import UnreadableFile

_CODE = (
    *("py", "js", "mjs", "jsx", "ts", "tsx", "css", "scss", "c", "h", "cc", "cpp", "hpp", "cs", "java", "kt"),
    *(
        "scala",
        "go",
        "rs",
        "rb",
        "php",
        "swift",
        "pl",
        "lua",
        "r",
        "jl",
        "hs",
        "sh",
        "bash",
        "zsh",
        "ps1",
        "bat",
    ),
    *("sql", "tf", "toml", "yaml", "yml", "ini", "cfg", "conf", "properties", "proto", "graphql", "vue", "m"),
    *("dart", "ex", "exs"),
)
SUFFIXES: dict[str, str] = {
    **dict.fromkeys((".txt", ".text", ".log", ".org"), "txt"),
    **{f".{suffix}": "code" for suffix in _CODE},
    **{".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".xhtml": "html"},
    ".pdf": "pdf",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), "docx"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), "pptx"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xltm"), "xlsx"),
    **{
        ".odt": "odt",
        ".ott": "odt",
        ".ods": "ods",
        ".ots": "ods",
        ".odp": "odp",
        ".otp": "odp",
        ".odg": "odp",
    },
    ".rtf": "rtf",
    **{".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"},
    **{".eml": "eml", ".mbox": "mbox", ".msg": "msg", ".ics": "ics", ".vcf": "ics"},
    **{".rst": "rst", ".adoc": "adoc", ".asciidoc": "adoc", ".tex": "tex", ".ltx": "tex", ".epub": "epub"},
    **dict.fromkeys((".xml", ".rss", ".atom", ".svg", ".dita", ".dbk", ".docbook"), "xml"),
    **{".ipynb": "ipynb", ".srt": "srt", ".vtt": "srt"},
}
FORMATS = ", ".join(dict.fromkeys(SUFFIXES.values()))

_BINARY = {
    "pdf": "a PDF",
    "docx": "a Word document",
    "pptx": "a presentation",
    "xlsx": "an Excel workbook",
    "odt": "an OpenDocument text",
    "ods": "an OpenDocument spreadsheet",
    "odp": "an OpenDocument presentation",
    "rtf": "an RTF document",
    "msg": "an Outlook message",
    "epub": "an e-book",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OUTLOOK_PART = "__properties_version1.0".encode("utf-16-le")
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_OLD_SUFFIXES = {".doc": "docx", ".xls": "xlsx", ".ppt": "pptx"}
_OFFICE_FOLDERS = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OPEN_KINDS = {"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odp"}
# What no reader here reads, by a member of its zip, and what its own program saves instead.
_FOREIGN_ZIPS = {
    "xl/workbook.bin": ("a binary Excel workbook (.xlsb)", "save it as .xlsx"),
    "Index/Document.iwa": ("an Apple iWork document", "export it as .docx, .xlsx, .pptx or PDF"),
}
_FOREIGN_SUFFIXES = {
    ".pages": ("an Apple Pages document", "export it as .docx or PDF"),
    ".numbers": ("an Apple Numbers spreadsheet", "export it as .xlsx"),
    ".key": ("an Apple Keynote presentation", "export it as .pptx or PDF"),
}
_E_BOOK = "META-INF/container.xml"
_OTHERS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"RIFF", "a RIFF file (WebP, WAV or AVI)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh9", "a bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%!PS", "a PostScript file"),
)


def supported(name: str) -> bool:
    """Return whether the name's suffix is one that Ibid reads; other files may still be read by content."""
    return _suffix(name) in SUFFIXES


def format_of(data: bytes, name: str) -> str:
    """Return the format to read a file as, one of the values of `SUFFIXES`.

    Raises:
        UnreadableFile: if suffix and content disagree, or the content is of a format that Ibid cannot read.
    """
    expected = SUFFIXES.get(_suffix(name))
    found = _binary_format(data, name)
    if found is None:
        if expected in _BINARY:
            raise UnreadableFile(
                f"{name} is not {_BINARY[expected]}: its content is something else, or damaged at the start."
                " Upload the original again, under the suffix of its real format."
            )
        return expected or _text_format(data)
    if expected not in (None, found):
        wanted = _BINARY.get(expected or "", "text")
        raise UnreadableFile(
            f"{name} is {_BINARY[found]}, not {wanted} as its suffix says; rename it to end in .{found}."
        )
    return found


def _suffix(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def _text_format(data: bytes) -> str:
    start = data[:1000].lstrip(b"\xef\xbb\xbf\r\n\t ").lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start):
        return "html"
    return "xml" if start.startswith(b"<?xml") else "txt"


def _binary_format(data: bytes, name: str) -> str | None:
    """Recognise a binary format by its first bytes; None for text and the unknown."""
    if data[:1024].lstrip(b"\xef\xbb\xbf\r\n\t \0").startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(_OLE):
        if _OUTLOOK_PART in data and _suffix(name) not in _OLD_SUFFIXES:
            return "msg"
        raise _old_office_file(data, name)
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_format(data, name)
    for magic, label in _OTHERS:
        if data.startswith(magic):
            raise _unsupported(name, label)
    return None


def _zip_format(data: bytes, name: str) -> str:
    members = member_names(data)
    if not members:
        raise UnreadableFile(
            f"{name} is a zip-based file whose directory is missing, empty or too long: it is damaged or"
            " truncated. Upload the original again."
        )
    known = [foreign for member, foreign in _FOREIGN_ZIPS.items() if member in members]
    known += [_FOREIGN_SUFFIXES[suffix] for suffix in (_suffix(name),) if suffix in _FOREIGN_SUFFIXES]
    if known:
        label, remedy = known[-1]
        raise UnreadableFile(f"{name} is {label}; {remedy} and upload that.")
    for folder, found in _OFFICE_FOLDERS.items():
        if any(member.startswith(folder) for member in members):
            return found
    stated = stated_type(data) if "mimetype" in members else ""
    if stated.startswith(_OPEN_DOCUMENT):
        kind = stated.removeprefix(_OPEN_DOCUMENT).removesuffix("-template").removesuffix("-master")
        if kind in _OPEN_KINDS:
            return _OPEN_KINDS[kind]
    if _E_BOOK in members:
        return "epub"
    raise _unsupported(name, "an OpenDocument file" if "mimetype" in members else "a zip archive")


def _old_office_file(data: bytes, name: str) -> UnreadableFile:
    if _ENCRYPTED_PACKAGE in data:
        return UnreadableFile(f"{name} is encrypted; remove the password and upload it again.")
    target = _OLD_SUFFIXES.get(_suffix(name), "docx, .xlsx or .pptx")
    return UnreadableFile(
        f"{name} is in Office's format of before 2007, or encrypted; save it as .{target} without a password"
        " and upload that."
    )


def _unsupported(name: str, label: str) -> UnreadableFile:
    return UnreadableFile(f"{name} is {label}; Ibid reads {FORMATS}. Convert it to one of these.")
