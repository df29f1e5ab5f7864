"""Name the countries and large cities that a text or a file's name mentions."""

from __future__ import annotations

import re

_COUNTRIES = {  # name -> its other names; two lower-case letters are a code, read only in file names
    "Australia": "Australian|au",
    "Austria": "Austrian",
    "Belgium": "Belgian",
    "Brazil": "Brazilian|br",
    "Canada": "Canadian|ca",
    "China": "Chinese|cn",
    "Denmark": "Danish|dk",
    "European Union": "EU|eu",
    "Finland": "Finnish|fi",
    "France": "French|fr",
    "Germany": "German|Deutschland|de",
    "India": "Indian",
    "Ireland": "Irish|ie",
    "Italy": "Italian",
    "Japan": "Japanese|jp",
    "Mexico": "Mexican|mx",
    "Netherlands": "Dutch|nl",
    "New Zealand": "nz",
    "Norway": "Norwegian",
    "Poland": "Polish|pl",
    "Portugal": "Portuguese|pt",
    "Singapore": "sg",
    "South Africa": "South African|za",
    "Spain": "Spanish|es",
    "Sweden": "Swedish",
    "Switzerland": "Swiss|ch",
    "United Kingdom": "UK|Great Britain|Britain|British|England|Scotland|Wales|Northern Ireland|uk|gb",
    "United States": "US|USA|U.S.|America|American|us",
}
_CITIES = (
    "Amsterdam|Berlin|Boston|Chicago|Dublin|Hamburg|London|Los Angeles|Madrid|Munich|New York|Paris|Rome"
    "|San Francisco|Sydney|Tokyo|Toronto|Vienna|Zurich"
)
_REGIONS = {
    **{city: city for city in _CITIES.split("|")},
    **{word: name for name, others in _COUNTRIES.items() for word in (name, *others.split("|"))},
}
_WORDS = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(re.escape(word) for word in sorted(_REGIONS, key=len, reverse=True) if not word.islower())
    + r")(?!\w)"
)


def regions_of(text: str) -> frozenset[str]:
    """Return the regions that a text names: "employees in Wales" -> {"United Kingdom"}."""
    return frozenset(_REGIONS[word] for word in _WORDS.findall(text))


def without_regions(text: str) -> str:
    """Return a text without the words that name a region."""
    return _WORDS.sub(" ", text)


def region_of_word(word: str) -> str | None:
    """Return the region that a word of a file's name means, such as "uk", "UK" or "germany", or None."""
    return _REGIONS.get(word.lower()) or _REGIONS.get(word.capitalize())
