"""Reports of a run: text, Markdown, JUnit, JSON, and an HTML page."""
