"""Where the text of an RTF group goes: its destination, named by the first control word in it."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.formats.rtf.flow import Flow

# Destinations that hold running heads or notes; each is a flow of its own.
HEADS = frozenset({"header", "headerl", "headerr", "headerf"})
FEET = frozenset({"footer", "footerl", "footerr", "footerf"})
KEPT_APART = HEADS | FEET | {"footnote", "annotation", "shptxt", "atnauthor", "listtext", "pntext"}
READ = frozenset(
    {
        "rtf",
        "field",
        "fldrslt",
        "shp",
        "shpinst",
        "shpgrp",
        "result",
        "object",
        "shppict",
        "sp",
        "sn",
        "sv",
        "ud",
        "do",
    }
    | {
        "dptxbxtext",
        "upr",
        "fldinst",
        "fonttbl",
        "stylesheet",
        "info",
        "pict",
        "nestableprops",
        "nesttableprops",
    }
    | {
        "mmath",
        "moMath",
        "mr",
        "formfield",
        "ffname",
        "ffl",
        "ffdeftext",
        "bkmkstart",
        "objdata",
        "listpicture",
    }
)
# Destinations whose text is not the document's; every one behind \* that is not read is another.
NOT_READ = frozenset(
    {
        "colortbl",
        "filetbl",
        "listtable",
        "listoverridetable",
        "revtbl",
        "rsidtbl",
        "xmlnstbl",
        "themedata",
        "datastore",
    }
    | {
        "colorschememapping",
        "latentstyles",
        "generator",
        "shprslt",
        "nonshppict",
        "objdata",
        "bkmkstart",
        "bkmkend",
    }
    | {
        "atnid",
        "atnref",
        "atndate",
        "atntime",
        "atnparent",
        "atrfstart",
        "atrfend",
        "pnseclvl",
        "pntxta",
        "pntxtb",
    }
    | {
        "template",
        "fontemb",
        "formfield",
        "datafield",
        "userprops",
        "passwordhash",
        "nonesttables",
        "listpicture",
    }
    | {
        "objclass",
        "objname",
        "objalias",
        "picprop",
        "sec",
        "xe",
        "tc",
        "tcn",
        "mmathPr",
        "wgrffmtfilter",
        "pnlvl",
    }
    | {
        "ftnsep",
        "ftnsepc",
        "ftncn",
        "aftnsep",
        "aftnsepc",
        "aftncn",
        "falt",
        "panose",
        "blipuid",
        "comment",
        "doccomm",
    }
)
# Of the file's information: texts, and times in numbers.
INFO = frozenset({"title", "author", "subject", "keywords"})
TIMES = frozenset({"creatim", "revtim", "printim", "buptim"})
# Groups whose text is that of the group around them.
TRANSPARENT = frozenset({"shp", "shpinst", "shpgrp", "result", "object", "shppict", "do", "dptxbxtext"})
# Destinations whose text is no part of the document, but says something of it.
DEFINING = frozenset({"field", "fldinst", "fonttbl", "stylesheet", "info", "sp", "sn", "sv"})


@dataclass(slots=True)
class Group:
    """What a brace opens: where its text goes, and how it is read. It inherits all of the group around it."""

    destination: str = "rtf"
    flow: Flow | None = None  # None: the body
    owns_flow: bool = False  # the destination begins here, and ends with the group
    codec: str = ""  # of its font; "" for the file's
    font: int = -1
    skip: int = 1  # bytes that follow a \\u for programs without Unicode
    hidden: bool = False
    deleted: bool = False
    ends_note: bool = False
    opens: bool = True  # no control word has named its destination yet
    ignorable: bool = False  # \\*
