"""Where the PDFs lie that this room measures."""

from __future__ import annotations

from pathlib import Path

from eval.datasets import ROOT, SHARED

TEN_Q = SHARED / "endtoend" / "sec-10q" / "documents"
# Beside the checkout, as they are no part of the project.
PDFS = ROOT.parent / "pdfs"
# From github.com/venkateshtata/multisource_rag and github.com/junweilin1009-jpg/financial-10k-rag, data/10k.
TEN_K = (
    "lyft_2021.pdf",
    "uber_2021.pdf",
    "Alphabet_10k_2025.pdf",
    "Amazon_10k_2025.pdf",
    "Microsoft_10K_2025.pdf",
)


def filings() -> list[Path]:
    """Return the ten filings, or those of them that are here."""
    return [*sorted(TEN_Q.glob("*.pdf")), *(PDFS / name for name in TEN_K if (PDFS / name).exists())]


def other_pdfs() -> list[Path]:
    """Return the public PDFs of other kinds that are here: papers, reports, manuals, forms."""
    return [path for path in sorted(PDFS.glob("*.pdf")) if path.name not in TEN_K]
