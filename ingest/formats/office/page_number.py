"""Drop the numbers of pages from running heads: they differ from page to page and say nothing."""

# Stands where a page number stood, until the line is whole.
PAGE_MARK = "\ue0f0"
# "Page 2 of 9", in the languages of most documents.
_PAGE_WORDS = (
    "page pages p pp pg pag pagina página páginas seite seiten s side sida strona str strana stránka oldal sivu sayfa"
    " страница стр σελίδα 页 頁 第 共 ページ of von de sur di van af av z od iz ze из από out total"
)
_WORDS = frozenset(_PAGE_WORDS.split())


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
    if PAGE_MARK not in piece:
        return False
    words = (word.strip(".,:;/|()[]–—-").lower() for word in piece.replace(PAGE_MARK, " ").split())
    return all(not word or word in _WORDS for word in words)
