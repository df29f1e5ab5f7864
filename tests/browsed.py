"""A page in a real browser: Debian's chromium, driven by Playwright. It is not part of a checkout."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium here; on Debian: apt install chromium")


@contextmanager
def browsed(width: int = 1280) -> Iterator[Page]:
    """Yield an empty page of the given width in pixels."""
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": width, "height": 900})
        browser.close()
