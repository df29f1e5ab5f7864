"""Where Rich Text Format can hold text."""

from collections.abc import Callable

from tests.places import Place


def _rtf(body: str) -> Callable[[str], bytes]:
    return lambda word: (r"{\rtf1\ansi " + body.replace("WORD", word) + r"\par}").encode()


PLACES = [
    Place("rtf", "a paragraph", _rtf("WORD")),
    Place("rtf", "a list's label", _rtf(r"{\listtext WORD.\tab}item")),
    Place("rtf", "a table", _rtf(r"\trowd\cellx1\cellx2\intbl a\cell WORD\cell\row\pard x")),
    Place(
        "rtf",
        "a table in a table",
        _rtf(r"\trowd\cellx1\intbl {\itap2 a\nestcell WORD\nestcell\nestrow}\cell\row\pard x"),
    ),
    Place("rtf", "a header", _rtf(r"{\header WORD\par}x")),
    Place("rtf", "the header of the first page", _rtf(r"{\headerf WORD\par}x")),
    Place("rtf", "a footer of left pages", _rtf(r"{\footerl WORD\par}x")),
    Place("rtf", "a footnote", _rtf(r"x{\footnote WORD}")),
    Place("rtf", "an endnote", _rtf(r"x{\footnote\ftnalt WORD}")),
    Place("rtf", "a comment", _rtf(r"x{\*\annotation WORD}")),
    Place("rtf", "the author of a comment", _rtf(r"x{\*\atnauthor WORD}\chatn{\*\annotation y}")),
    Place("rtf", "a text box", _rtf(r"x{\shp{\*\shpinst{\shptxt WORD\par}}}")),
    Place("rtf", "alternative text", _rtf(r"x{\shp{\*\shpinst{\sp{\sn wzDescription}{\sv WORD}}}}")),
    Place(
        "rtf", "the text of a link", _rtf(r'{\field{\*\fldinst HYPERLINK "https://x.org"}{\fldrslt WORD}}')
    ),
    Place(
        "rtf",
        "the target of a link",
        _rtf(r'{\field{\*\fldinst HYPERLINK "https://WORD.org"}{\fldrslt here}}'),
    ),
    Place("rtf", "text in Unicode", _rtf(r"{\upr{?}{\*\ud{WORD}}}")),
    Place("rtf", "hidden text", _rtf(r"x{\v WORD}"), "hidden passage"),
    Place("rtf", "a tracked deletion", _rtf(r"x{\deleted WORD}"), "deleted passage"),
    Place("rtf", "a tracked insertion", _rtf(r"x{\revised WORD}")),
    Place("rtf", "a picture", _rtf(r"x{\pict\pngblip 00}"), "image"),
    Place("rtf", "an embedded file", _rtf(r"x{\object\objemb{\*\objdata 00}{\result y}}"), "embedded file"),
    Place("rtf", "the title of the document", _rtf(r"{\info{\title WORD}}x")),
]
