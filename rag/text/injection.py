"""Find text that addresses a language model instead of a reader: instructions planted in a document.

The extractive answer obeys nothing; a model that writes might. Text that looks like an injection is reported with the
answer. If its sign is strong (it mentions "your answer", or instructions to ignore), its evidence is ranked last,
supports nothing and is never shown as an answer. A weak sign, a task such as "Explain the process", occurs in honest
manuals too. Detection is by rules, in English; a plain question is no sign, since documents ask many.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from rag.types import Hit

_ANSWER = r"(?:answers?|respon(?:se|ses)|repl(?:y|ies)|messages?|outputs?)"
_MADE = (
    r"(?:poem|story|stories|essay|letter|speech|song|haiku|joke|script|headline|tweet|email|introduction|summary|function|"
    r"program|code|article|paragraph)"
)
_CHANGE = (
    r"(?:add|append|include|insert|integrate|incorporate|embed|mention|modify|augment|enhance|alter|rewrite|replace|use|convert|"
    r"substitute|render|provide|give|write|deliver|format|encode|misspell|scramble|jumble|rearrange|anagram|shuffle|remove|"
    r"group|combine|introduce|end|begin|start|finish|translate|repeat|print|output|say)"
)
# Within one sentence, including addresses of sites.
_SAME = r"(?:[^.!?\n]|[.!?](?!\s))"
_START = r"(?:^|[.!?:;\n\"'”)\]]\s*)(?:(?:[-*•#>]+|\d+[.)])\s*)?(?:please\s+|now\s+|also\s+|then\s+)*"
_STRONG = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        # what to do with "your answer"
        rf"{_START}{_CHANGE}\b{_SAME}{{0,120}}?\b(?:in|into|to|of|from|for)\s+your\s+(?:\w+\s+)?{_ANSWER}\b",
        rf"{_START}{_CHANGE}\s+your\s+(?:\w+\s+)?{_ANSWER}\b",
        rf"{_START}in\s+your\s+(?:\w+\s+)?{_ANSWER}\b",
        rf"{_START}{_CHANGE}\s+\"[^\"\n]{{3,200}}\"{_SAME}{{0,60}}\b(?:your|the)\s+{_ANSWER}\b",
        # the classics of every list of attacks
        r"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|of\s+|everything\s+)*"
        r"(?:previous|prior|above|earlier|other|preceding|following|system)\b(?:[^.!?\n]{0,40}\b(?:instructions?|prompts?|"
        r"rules|directions|context|evidence|text)\b|\s+and\b)",
        r"\bnew\s+instructions?\s*:|^\s*#+\s*(?:new\s+)?(?:instructions?|system\s+prompt)\s*:",
        r"\b(?:system\s+prompt|developer\s+message|jailbreak|do\s+anything\s+now)\b[^.!?\n]{0,80}\b(?:reveal|print|show|you)\b"
        r"|\b(?:reveal|print|show|repeat)\b[^.!?\n]{0,40}\b(?:system\s+prompt|developer\s+message)\b",
        r"\byou\s+are\s+(?:now\s+)?(?:an?\s+)?(?:\w+\s+)?(?:ai|assistant|language\s+model|chatbot|llm)\b",
        r"<\|?(?:im_start|system|assistant|user|endoftext)\|?>|\[/?INST\]",
    )
)
_WEAK = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (  # a task for whoever reads the text
        rf"{_START}{_CHANGE}\b{_SAME}{{0,120}}?\bwith\s+your\s+(?:\w+\s+)?{_ANSWER}\b",
        rf"{_START}(?:replace|swap|substitute)\s+(?:\w+\s+){{0,2}}?(?:vowels?|letters?|words?|spaces|consonants?)\b",
        rf"{_START}(?:write|draft|compose|create|generate|develop|provide|produce|make)\s+(?:me\s+)?(?:an?|the)\s+"
        rf"(?:\w+\s+){{0,3}}?{_MADE}\b",
        rf"{_START}(?:can|could|will|would)\s+you\s+(?:please\s+)?(?:show|write|give|tell|explain|translate|provide|make)\b",
        rf"{_START}(?:explain|describe|break\s+down|summari[sz]e|translate|list|tell\s+me)\s+(?:how|why|the|to\s+me|what)\b"
        r"[^.!?,;:\n]{3,70}(?:[.!?](?=\s|$)|$)",
        r"\btranslate\s+the\s+following\b|\bprovide\s+(?:the\s+\w+\s+equivalent|an\s+example)\b",
    )
)
_INVISIBLE = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD}


def sign_of_injection(text: str, *, strong: bool = False) -> str:
    """Return the words of a text that address a model, or "" if none do.

    Args:
        strong: only signs that do not occur in honest documents.
    """
    plain = unicodedata.normalize("NFKC", text).translate(dict.fromkeys(_INVISIBLE))
    for sign in _STRONG if strong else (*_STRONG, *_WEAK):
        if found := sign.search(plain):
            return " ".join(found[0].split()).lstrip(".!?:;\"'”)] -*•#>")[:120]
    return ""


def last_if_planted(evidence: Sequence[Hit]) -> tuple[list[Hit], list[str]]:
    """Rank hits last that clearly address a model instead of a reader, and remark on all that may.

    Returns:
        The hits, and the remarks.
    """
    clean, planted, remarks = list[Hit](), list[Hit](), list[str]()
    for hit in evidence:
        sign, sure = sign_of_injection(hit.text), bool(sign_of_injection(hit.text, strong=True))
        if sign:
            place = f"{hit.chunk.document}, {hit.start}-{hit.end}{', ranked last' if sure else ''}"
            remarks.append(f"Perhaps an instruction planted in {place}: {sign}")
        (planted if sure else clean).append(hit)
    return clean + [replace(hit, score=0.0) for hit in planted], remarks
