"""The names of XML elements and attributes as specifications write them: "w:p", "text:span"."""

from __future__ import annotations

from collections.abc import Mapping

# A file may invent names without end.
_MOST_NAMES = 10_000


class Names:
    """The prefixes of a format's namespaces, whatever prefixes a file uses itself."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._namespaces = dict(prefixes)
        self._prefixes = {namespace: prefix for prefix, namespace in prefixes.items()}
        self._full: dict[str, str] = {}
        self._short: dict[object, str] = {}

    def full(self, name: str) -> str:
        """Return a name as lxml writes it: `full("w:p") == "{http://…/main}p"`."""
        found = self._full.get(name)
        if found is None:
            prefix, _, local = name.partition(":")
            found = self._full[name] = f"{{{self._namespaces[prefix]}}}{local}"
        return found

    def short(self, tag: object) -> str:
        """Return a name as the specification writes it; "" for other namespaces and for comments."""
        found = self._short.get(tag)
        if found is None:
            namespace, _, local = str(tag).rpartition("}")
            prefix = self._prefixes.get(namespace[1:])
            found = f"{prefix}:{local}" if prefix else ""
            if len(self._short) < _MOST_NAMES:
                self._short[tag] = found
        return found
