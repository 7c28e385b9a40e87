"""The report's tables as a notebook shows them: verdicts in colour and in words, the paper's numbers apart from ours and reduced ones."""

import hashlib
import html
from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from drnas_lib.collection.paper.verdict import Verdict

MARKS = {  # sign, background and ink: light tints of report_figures.COLOURS, the ink dark enough to read
    Verdict.REPRODUCED: ("●", "#cfe5f3", "#003a5c"),
    Verdict.WITHIN_SPREAD: ("◐", "#e3f3fc", "#0b4a6f"),
    Verdict.NOT_REPRODUCED: ("✕", "#f9dcc9", "#7a2f00"),
    Verdict.REDUCED_ONLY: ("△", "#fbf6c4", "#5c5600"),
    Verdict.NOT_RUN: ("○", "#f2f2f2", "#666666"),
}
FRAME = {
    "th": "text-align: left; vertical-align: top; white-space: nowrap; font-weight: 500;",
    "td": "text-align: left; vertical-align: top; white-space: nowrap;",
    "tbody tr": "border-top: 1px solid #e6e6e6; background: none;",
    "tbody th.level0": "border-top: 1px solid #aaa;",
    **{f"td.{verdict.name}": f"background: {tint}; color: {ink};" for verdict, (_, tint, ink) in MARKS.items()},
}
WRAPPED = "white-space: normal; min-width: 18em; font-size: 90%;"
OF_COLUMN = {
    "paper": "color: #777;",
    "full": "font-weight: bold;",
    **dict.fromkeys(("laptop", "its rank", "another size"), "font-style: italic; color: #5c5600;"),
    **dict.fromkeys(("note", "less than the paper's", "what it means"), WRAPPED),
}


OF_NUMBERS = {"verdict": {verdict.value: verdict for verdict in Verdict}}


def styled(table: pd.DataFrame, marks: Mapping[str, Mapping[str, Verdict]] = OF_NUMBERS) -> Styler:
    """Any of the report's tables; columns that are empty throughout are left out. `marks`: for a column of verdicts, the colour of each."""
    kept = [column for column in table if (table[column].astype(str) != "").any()]
    style = table[kept].style.set_uuid(_digest(table)).format(escape="html").format_index(escape="html")
    rules = FRAME | {f"td.col{place}": OF_COLUMN[column] for place, column in enumerate(kept) if column in OF_COLUMN}
    style = style.set_table_styles([{"selector": selector, "props": props} for selector, props in rules.items()])
    judged = [column for column in kept if column in marks]
    if judged:
        classes = table[judged].apply(lambda words: words.map(lambda word: marks[words.name][word].name))
        formats = {column: lambda word, of=marks[column]: f"{MARKS[of[word]][0]} {word}" for column in judged}
        style = style.set_td_classes(classes).format(dict.fromkeys(kept, html.escape) | formats)
    return style


def _digest(table: pd.DataFrame) -> str:
    """The same for the same table, so that a notebook executed again is the same file where nothing changed."""
    return hashlib.sha256(table.to_csv().encode()).hexdigest()[:8]


def legend() -> Styler:
    """What each verdict means, in a line."""
    return styled(pd.DataFrame({"verdict": [v.value for v in MEANING], "what it means": list(MEANING.values())})).hide(axis="index")


MEANING = {
    Verdict.REPRODUCED: "the printed number at the printed precision; in a row of DrNAS itself, that good or better; of memory and search "
    "cost, no more; of a figure, what it is taken to show",
    Verdict.WITHIN_SPREAD: "apart by no more than the paper's spread, or than two standard errors of the difference",
    Verdict.NOT_REPRODUCED: "further apart than that; the note says why where we know",
    Verdict.REDUCED_ONLY: "only run at the laptop scale or at another size, or on other data: not comparable, and judged in no way",
    Verdict.NOT_RUN: "no finished run; the note says where nothing can be run",
}
