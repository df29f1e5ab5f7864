"""Questions for an overview in German, French and Spanish: how they begin, and the words that are not their subject."""

from __future__ import annotations

import re

OVERVIEW_BEGINS = re.compile(
    r"^\W*(?:(?:bitte|kannst du|können sie|s['’]il (?:te|vous) plaît|por favor|puedes|peux-tu|pouvez-vous)\s+)*(?:"
    # German
    r"fass(?:e|en sie|t)?\b.{1,120}\bzusammen\W*$"
    r"|(?:(?:gib|geben sie|schreib|schreibe) (?:mir |uns )?)?(?:(?:eine?n?|die|den) )?(?:kurze[nr]? )?"
    r"(?:zusammenfassung|überblick)\b"
    r"|worum geht es in\b|wovon handelt\b|was steht (?:in|im)\b"
    # French
    r"|résum(?:e|ez|er)\b|(?:(?:donne|donnez|fais|faites|écris)(?:-moi)? )?(?:un |le )?(?:bref |court )?"
    r"(?:résumé|aperçu)\b|de quoi (?:parle|traite)\b"
    # Spanish
    r"|resum(?:e|a|ir)\b|resúme(?:me|lo)\b|(?:(?:haz|hazme|dame|da|deme|escribe) )?(?:un |el )?(?:breve )?resumen\b"
    r"|de qué (?:trata|habla)\b)",
    re.IGNORECASE,
)
OVERVIEW_WORDS = re.compile(
    r"\b(?:bitte|kannst|können|du|sie|fasse?n?t?|zusammen|zusammenfassung|überblick|über|gib|geben|schreibe?|mir|uns|"
    r"worum|geht|es|wovon|handelt|was|steht|kurze?[nr]?|eine?[nr]?|der|die|das|den|dem|des|von|vom|zum|zur|in|im|"
    r"résum(?:e|ez|er|é)|aperçu|donnez?|fais|faites|écris|moi|un|une|le|la|les|de|du|des|à|au|quoi|parle|traite|bref|"
    r"court|ce|cet|cette|plaît|vous|te|peux|tu|pouvez|"
    r"resum(?:e|a|ir|en)|resúme(?:me|lo)|haz|hazme|dame|da|deme|escribe|el|los|las|del|qué|trata|habla|breve|sobre|por|"
    r"favor|puedes|este|esta)\b|\b[dls]['’]",
    re.IGNORECASE,
)
