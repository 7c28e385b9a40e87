"""The paper's claims as tables: for the report and its site, the terminal and the README."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.collection.paper.claim_rules import FEWEST, ClaimVerdict
from drnas_lib.collection.paper.claims import SCALES, ClaimResult, by_claim
from drnas_lib.collection.paper.table_style import styled
from drnas_lib.collection.paper.verdict import Verdict

ABSENT = "–"
LIKE = {  # claims have the colours of the numbers' verdicts that mean as much
    ClaimVerdict.HOLDS: Verdict.REPRODUCED,
    ClaimVerdict.DOES_NOT_HOLD: Verdict.NOT_REPRODUCED,
    ClaimVerdict.UNDECIDED: Verdict.REDUCED_ONLY,
    ClaimVerdict.NOT_RUN: Verdict.NOT_RUN,
}
MARKS = {verdict.value: alike for verdict, alike in LIKE.items()}
MEANING = {
    ClaimVerdict.HOLDS: "the whole 95 % interval of the statistic lies where the claim is true",
    ClaimVerdict.DOES_NOT_HOLD: "all of it lies where the claim is false",
    ClaimVerdict.UNDECIDED: f"the interval has a part in both, or a group has fewer than {FEWEST} runs",
    ClaimVerdict.NOT_RUN: "a group of searches has no finished run at this scale",
}


def table(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """A row for each claim: place, statistic and rule; at each scale the verdict and the numbers behind it."""
    rows = []
    for claim, scales in by_claim(found):
        row = {"claim": claim.statement, "place": claim.place, "statistic": claim.quantity, "rule": claim.rule_text}
        for scale in SCALES:
            row |= {f"{scale} scale": scales[scale].outcome.verdict.value, f"{scale} scale: value": scales[scale].numbers}
        rows.append(row | {"note": claim.note})
    return pd.DataFrame(rows).set_index("claim").rename_axis(index=None)


def shown(found: Sequence[ClaimResult]) -> Styler:
    """The same as a notebook shows it."""
    return styled(table(found), {f"{scale} scale": MARKS for scale in SCALES})


def legend() -> Styler:
    """What each verdict on a claim means, in a line."""
    rows = {"verdict": [v.value for v in MEANING], "what it means": list(MEANING.values())}
    return styled(pd.DataFrame(rows), {"verdict": MARKS}).hide(axis="index")


def sentence(found: Sequence[ClaimResult]) -> Markdown:
    """How many claims hold at each scale."""
    total = sum(result.scale == SCALES[0] for result in found)
    return Markdown(f"**Of {total} claims {'; '.join(_counted(found, scale) for scale in SCALES)}.**")


def _counted(found: Sequence[ClaimResult], scale: str) -> str:
    counts = Counter(result.outcome.verdict for result in found if result.scale == scale)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ClaimVerdict if counts[verdict])
    return f"at the {scale} scale: {said}"


def claim_lines(found: Sequence[ClaimResult]) -> list[str]:
    """The claims for a terminal."""
    lines = [sentence(found).data.strip("*")]
    for claim, scales in by_claim(found):
        lines.append(f"\n{claim.place}: {claim.statement} ({claim.quantity}; {claim.rule_text})")
        lines += [f"  {scale}: {_said(scales[scale])}" for scale in SCALES]
    return lines


def _said(result: ClaimResult) -> str:
    return result.outcome.verdict.value + (f" ({result.numbers})" if result.numbers else "")


def markdown(found: Sequence[ClaimResult]) -> list[str]:
    """The claims as the README has them: a cell of the table holds one value."""
    heads = ["claim of the paper", "place", *(head for scale in SCALES for head in (scale, f"{scale}: n"))]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for claim, scales in by_claim(found):
        cells = [value for scale in SCALES for value in _cells(scales[scale])]
        lines.append(_row([claim.statement, claim.place, *cells]))
    return lines


def _cells(result: ClaimResult) -> tuple[str, str]:
    ran = result.outcome.verdict is not ClaimVerdict.NOT_RUN
    return result.outcome.verdict.value, result.runs if ran else ABSENT


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
