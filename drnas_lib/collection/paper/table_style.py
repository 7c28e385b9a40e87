"""Style of the report: how verdicts look in tables and figures, and how columns of the paper are set apart from ours."""

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pandas.io.formats.style import Styler

from drnas_lib.collection.paper.claim_rules import ClaimVerdict
from drnas_lib.collection.paper.verdicts import Verdict


@dataclass(frozen=True)
class Style:
    """How a verdict looks: its sign, background and ink in a table, its colour and hatch in a figure.

    The colours differ for the colour-blind too, and signs and hatches repeat them. A background is a light tint of the colour.
    """

    sign: str
    tint: str
    ink: str
    colour: str
    hatch: str


STYLES = {
    Verdict.REPRODUCED: Style("●", "#cfe5f3", "#003a5c", "#0072b2", ""),
    Verdict.WITHIN_SPREAD: Style("◐", "#e3f3fc", "#0b4a6f", "#56b4e9", "//"),
    Verdict.NOT_REPRODUCED: Style("✕", "#f9dcc9", "#7a2f00", "#d55e00", "xx"),
    Verdict.REDUCED_ONLY: Style("△", "#fbf6c4", "#5c5600", "#f0e442", ".."),
    Verdict.NOT_RUN: Style("○", "#f2f2f2", "#666666", "#d9d9d9", ""),
}
MEANINGS = {
    Verdict.REPRODUCED.value: "the printed number at the printed precision; in a row of DrNAS itself, that good or better; of memory and "
    "search cost, no more; of a figure, what it is taken to show",
    Verdict.WITHIN_SPREAD.value: "no further apart than the paper's spread, or than two standard errors (0.5 points at most)",
    Verdict.NOT_REPRODUCED.value: "further apart than that; the note says why where we know",
    Verdict.REDUCED_ONLY.value: "only run at the laptop scale or at another size, or on other data: not comparable, and judged in no way",
    Verdict.NOT_RUN.value: "no finished run; the note says where nothing can be run",
}
VERDICT_OF: dict[str, Verdict] = {verdict.value: verdict for verdict in Verdict} | {  # word of either kind of verdict -> its style
    ClaimVerdict.HOLDS.value: Verdict.REPRODUCED,
    ClaimVerdict.DOES_NOT_HOLD.value: Verdict.NOT_REPRODUCED,
    ClaimVerdict.UNDECIDED.value: Verdict.REDUCED_ONLY,
}
FRAME = {
    "th": "text-align: left; vertical-align: top; white-space: nowrap; font-weight: 500;",
    "td": "text-align: left; vertical-align: top; white-space: nowrap;",
    "tbody tr": "border-top: 1px solid #e6e6e6; background: none;",
    "tbody th.level0": "border-top: 1px solid #aaa;",
    **{f"td.{verdict.name}": f"background: {style.tint}; color: {style.ink};" for verdict, style in STYLES.items()},
}
OF_COLUMN = {
    "paper": "color: #777;",
    "full": "font-weight: bold;",
    **dict.fromkeys(("laptop", "its rank", "another size"), "font-style: italic; color: #5c5600;"),
    **dict.fromkeys(("note", "less than the paper's", "what it means"), "white-space: normal; min-width: 18em; font-size: 90%;"),
}


def styled(table: pd.DataFrame) -> Styler:
    """Any of the report's tables, with coloured verdicts and without empty columns."""
    kept = [column for column in table if (table[column].astype(str) != "").any()]
    # The same table has the same id, so that a notebook executed again is the same file where nothing changed.
    digest = hashlib.sha256(table.to_csv().encode()).hexdigest()[:8]
    style = table[kept].style.set_uuid(digest).format(escape="html").format_index(escape="html")
    rules = FRAME | {f"td.col{place}": OF_COLUMN[column] for place, column in enumerate(kept) if column in OF_COLUMN}
    style = style.set_table_styles([{"selector": selector, "props": props} for selector, props in rules.items()])
    judged = [column for column in kept if VERDICT_OF.keys() >= set(table[column])]
    if judged:
        signed = lambda word: f"{STYLES[VERDICT_OF[word]].sign} {word}"
        classes = table[judged].map(lambda word: VERDICT_OF[word].name)
        style = style.set_td_classes(classes).format(dict.fromkeys(kept, html.escape) | dict.fromkeys(judged, signed))
    return style


def legend(meanings: Mapping[str, str] = MEANINGS) -> Styler:
    """A line for each verdict with its meaning."""
    return styled(pd.DataFrame({"verdict": list(meanings), "what it means": list(meanings.values())})).hide(axis="index")
