"""Read PDFs by where things stand on the page."""
