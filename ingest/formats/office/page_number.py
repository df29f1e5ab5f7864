"""Drop the numbers of pages from running heads: they differ from page to page and say nothing."""

# Stands where a page number stood, until the line is whole.
PAGE_MARK = "\ue0f0"
_FURNITURE_WORDS = 3


def without_page_numbers(text: str) -> str:
    """Drop the pieces of a running head that only number the page: "Draft\\tPage 2 of 9" becomes "Draft"."""
    if PAGE_MARK not in text:
        return text
    lines = []
    for line in text.split("\n"):
        pieces = [piece for piece in line.split("\t") if not _only_numbers_the_page(piece)]
        lines.append("\t".join(pieces).replace(PAGE_MARK, ""))
    return "\n".join(lines)


def _only_numbers_the_page(piece: str) -> bool:
    return PAGE_MARK in piece and len(piece.replace(PAGE_MARK, " ").split()) <= _FURNITURE_WORDS
