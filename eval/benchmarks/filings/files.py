"""Where the PDFs lie that this room measures."""

from __future__ import annotations

from pathlib import Path

from eval.datasets import SHARED

TEN_Q = SHARED / "endtoend" / "sec-10q" / "documents"
PDFS = SHARED / "endtoend" / "pdfs"
# From github.com/venkateshtata/multisource_rag and github.com/junweilin1009-jpg/financial-10k-rag, data/10k.
TEN_K = (
    "lyft_2021.pdf",
    "uber_2021.pdf",
    "Alphabet_10k_2025.pdf",
    "Amazon_10k_2025.pdf",
    "Microsoft_10K_2025.pdf",
)


def filings(folder: Path | None = None) -> list[Path]:
    """Return the ten filings, or those of them that are here.

    Args:
        folder: where the five 10-Ks lie; None for `PDFS`.
    """
    others = [(folder or PDFS) / name for name in TEN_K]
    return [*sorted(TEN_Q.glob("*.pdf")), *(path for path in others if path.exists())]


def other_pdfs(folder: Path | None = None) -> list[Path]:
    """Return the public PDFs of other kinds that are here: papers, reports, manuals, forms."""
    return [path for path in sorted((folder or PDFS).glob("*.pdf")) if path.name not in TEN_K]
