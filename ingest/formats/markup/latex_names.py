"""The commands and environments of LaTeX, by what becomes of them."""

from __future__ import annotations

SECTIONS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
LISTS = frozenset(("itemize", "enumerate", "description", "thebibliography", "compactitem", "compactenum"))
TABULAR = frozenset(("tabular", "tabular*", "tabularx", "tabulary", "longtable", "supertabular"))
CLAIMS = frozenset(
    ("theorem", "lemma", "proposition", "corollary", "definition", "remark", "example", "proof")
)
DRAWINGS = frozenset(("tikzpicture", "pspicture", "picture", "asy", "axis"))
OUTSIDE = {
    **dict.fromkeys(("input", "include", "subfile", "import"), "included file"),
    **dict.fromkeys(("includegraphics", "includesvg"), "image"),
    **dict.fromkeys(("bibliography", "addbibresource"), "list of references"),
}
UNSHOWN = frozenset(
    (
        *(
            "label",
            "vspace",
            "hspace",
            "hline",
            "toprule",
            "midrule",
            "bottomrule",
            "cline",
            "cmidrule",
            "centering",
        ),
        *(
            "maketitle",
            "tableofcontents",
            "newpage",
            "clearpage",
            "noindent",
            "usepackage",
            "documentclass",
            "index",
        ),
        *(
            "bibliographystyle",
            "setlength",
            "setcounter",
            "pagestyle",
            "thispagestyle",
            "rule",
            "vfill",
            "hfill",
        ),
        *("endhead", "endfirsthead", "endfoot", "endlastfoot", "rowcolor", "small", "footnotesize", "large"),
        *("newcommand", "renewcommand", "providecommand", "def", "newtheorem", "DeclareMathOperator"),
    )
)
PLACEHOLDER = "ibidverbatim"
# The arguments of commands that pylatexenc does not know: "[" optional, "{" required, "*" a star.
ARGUMENTS = {
    **dict.fromkeys(("part", "chapter", "section", "subsection", "subsubsection", "paragraph"), "*[{"),
    **dict.fromkeys(
        ("cite", "citep", "citet", "citeauthor", "citeyear", "parencite", "textcite", "autocite"), "*[[{"
    ),
    **dict.fromkeys(("ref", "eqref", "autoref", "cref", "Cref", "pageref", "nameref"), "*{"),
    **dict.fromkeys(
        ("input", "include", "subfile", "bibliography", "addbibresource", "thanks", "label"), "{"
    ),
    **dict.fromkeys(
        ("title", "author", "date", "url", "path", PLACEHOLDER, "vspace", "hspace", "index"), "{"
    ),
    **dict.fromkeys(("bibliographystyle", "pagestyle", "thispagestyle", "cline", "cmidrule", "texttt"), "{"),
    **dict.fromkeys(
        ("footnote", "footnotetext", "caption", "includegraphics", "includesvg", "usepackage"), "*[{"
    ),
    **dict.fromkeys(("href", "setlength", "setcounter", "textcolor", "import"), "{{"),
    **{"bibitem": "[{", "item": "[", "multicolumn": "{{{", "multirow": "[{[{[{", "\\": "*["},
}
ENVIRONMENT_ARGUMENTS = {
    **dict.fromkeys(("table", "table*", "figure", "figure*", "sidewaystable", "longtabu"), "["),
    **dict.fromkeys(("thebibliography", "multicols", "spacing"), "{"),
    **dict.fromkeys(("tabular", "longtable", "supertabular", "minipage"), "[{"),
    **dict.fromkeys(("tabular*", "tabularx", "tabulary"), "{[{"),
    **{"wrapfigure": "[{{", "itemize": "[", "enumerate": "[", "description": "["},
}
