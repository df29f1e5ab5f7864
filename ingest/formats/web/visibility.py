"""What of a web page a person gets to see: at once, or at the press of a button.

Hidden text is taken where the page offers a way to it. What nothing leads to is named and left out: it is as often
meant for machines as for people.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_PANEL_ROLES = frozenset(("tabpanel", "dialog", "alertdialog", "region", "tooltip", "listbox", "group"))
_PANEL_CLASS = re.compile(
    r"panel|tab|accordion|collaps|content|answer|faq|modal|toggle|drawer|expand|more|popover|slide|body",
    re.IGNORECASE,
)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "button", "summary", "dt", "label"))
_ACTIONS = ("onclick", "aria-expanded", "data-toggle", "data-bs-toggle", "tabindex")
_QUESTION = ("?", "？", "؟")
_REFERENCES = (
    *("aria-controls", "data-target", "data-bs-target", "popovertarget", "commandfor", "aria-describedby"),
    *("data-toggle-target", "data-controls", "for", "href"),
)
_NAVIGATION_ROLES = frozenset(("navigation", "menu", "menubar"))
_BANNER = re.compile(r"cookie|consent|gdpr", re.IGNORECASE)
_BANNER_KIND = re.compile(r"banner|notice|popup|bar\b|modal|dialog|overlay|consent|law|wall", re.IGNORECASE)
_BANNER_CHARACTERS = 3_000
_TITLES = frozenset(("h1", "main", "article", "body", "html"))
_ICON_CLASS = re.compile(
    r"\bicon|icon\b|\bfa[srb]?\b|\bfa-|glyph|material-(?:icons|symbols)|katex-html", re.IGNORECASE
)
_TEXT = re.compile(r"\w")


class Visibility:
    """Judges the elements of one page."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._text: str | None = None
        self._labels = _labels(root)
        self._reachable: set[str] = set()
        for attribute in _REFERENCES:
            for stated in root.xpath(f"//@{attribute}"):
                if attribute != "href" or stated.startswith("#"):
                    self._reachable.update(part.lstrip("#.") for part in stated.split())

    def label(self, panel: Any) -> str:
        """Return the text of the tab that opens a panel; "" if there is none."""
        return self._labels.get(panel, "")

    def labels_panel(self, element: Any) -> bool:
        """Return whether an element is a tab, whose text heads its panel."""
        return element.get("role") == "tab" and element in self._labels

    def stands_twice(self, text: str) -> bool:
        """Return whether the page holds a text, with single blanks, more than once."""
        if self._text is None:
            self._text = " ".join(self._root.text_content().split())
        first = self._text.find(text)
        return first >= 0 and self._text.find(text, first + 1) >= 0

    def omitted(self, element: Any) -> str | None:
        """Return what kind of thing an element is if a person does not see its text, else None."""
        if element.tag == "nav" or element.get("role") in _NAVIGATION_ROLES:
            return "navigation"
        if _is_consent_banner(element):
            return "cookie banner"
        if self._is_hidden(element):
            return None if self._can_be_shown(element) else "hidden text"
        return "icon" if element.get("aria-hidden") == "true" and _is_icon(element) else None

    def controls(self, button: Any) -> bool:
        """Return whether a button opens something, so that its text is the title of what it opens."""
        if any(button.get(name) is not None for name in ("aria-controls", "aria-expanded", "popovertarget")):
            return True
        if any(
            button.get(name) for name in ("data-target", "data-bs-target", "data-toggle", "data-bs-toggle")
        ):
            return True
        following = button.getnext()
        return following is not None and (self._is_hidden(following) or _looks_like_panel(following))

    def _is_hidden(self, element: Any) -> bool:
        stated = element.get("hidden")
        style = element.get("style") or ""
        return (stated is not None and stated.lower() != "false") or _HIDDEN_STYLE.search(style) is not None

    def _can_be_shown(self, element: Any) -> bool:
        if (element.get("hidden") or "").lower() == "until-found" or element.get("popover") is not None:
            return True
        if element.get("id") in self._reachable or element.tag == "dialog":
            return True
        return _looks_like_panel(element) or _follows_a_title(element)


def _labels(root: Any) -> dict[Any, str]:
    """Return the text of each tab, by the panel that it opens and by itself."""
    panels = [element for element in root.iter(etree.Element) if element.get("role") == "tabpanel"]
    if not panels:
        return {}
    tabs = [element for element in root.iter(etree.Element) if element.get("role") == "tab"]
    by_id = {tab.get("id"): tab for tab in tabs}
    by_panel = {tab.get("aria-controls"): tab for tab in tabs}
    labels: dict[Any, str] = {}
    for panel in panels:
        tab = by_id.get(panel.get("aria-labelledby")) if panel.get("aria-labelledby") else None
        tab = by_panel.get(panel.get("id")) if tab is None and panel.get("id") else tab
        if tab is not None:
            labels[panel] = labels[tab] = " ".join(tab.text_content().split())
    return labels


def _looks_like_panel(element: Any) -> bool:
    return element.get("role") in _PANEL_ROLES or _PANEL_CLASS.search(element.get("class") or "") is not None


def _follows_a_title(element: Any) -> bool:
    before = element.getprevious()
    if before is None or (before.tail or "").strip():
        return False
    if before.tag in _HEADINGS or before.get("role") in ("button", "heading", "tab"):
        return True
    acts = any(part.get(name) is not None for part in before.iter() for name in _ACTIONS)
    return acts or before.text_content().strip().endswith(_QUESTION)


def _is_consent_banner(element: Any) -> bool:
    stated = f"{element.get('id') or ''} {element.get('class') or ''} {element.get('aria-label') or ''}"
    if element.tag in _TITLES or not (_BANNER.search(stated) and _BANNER_KIND.search(stated)):
        return False
    if element.find(".//h1") is not None or element.find(".//main") is not None:
        return False
    acts = any(element.find(f".//{tag}") is not None for tag in ("button", "input", "a"))
    return acts and len(element.text_content()) < _BANNER_CHARACTERS


def _is_icon(element: Any) -> bool:
    """Return whether an element kept from screen readers is a sign, not words that are shown."""
    if _ICON_CLASS.search(element.get("class") or ""):
        return True
    return _TEXT.search(element.text_content()) is None and element.find(".//img") is None
