"""The paper's claims as tables: for the report and its site, the terminal and the README."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.collection.paper import table_style
from drnas_lib.collection.paper.claim_rules import FEWEST, ClaimVerdict
from drnas_lib.collection.paper.claims import SCALES, ClaimResult, by_claim
from drnas_lib.collection.views.tables import ABSENT

MEANINGS = {
    ClaimVerdict.HOLDS.value: "the whole 95 % interval of the statistic lies where the claim is true",
    ClaimVerdict.DOES_NOT_HOLD.value: "all of it lies where the claim is false",
    ClaimVerdict.UNDECIDED.value: f"the interval has a part in both, or a group has fewer than {FEWEST} runs",
    ClaimVerdict.NOT_RUN.value: "a group of searches has no finished run at this scale",
}


def table(found: Sequence[ClaimResult]) -> pd.DataFrame:
    """A row for each claim: place, statistic and rule; at each scale the verdict and the numbers behind it."""
    rows = []
    for claim, scales in by_claim(found):
        row = {"claim": claim.statement, "place": claim.place, "statistic": claim.quantity, "rule": claim.rule_text}
        for scale, result in scales.items():
            row |= {f"{scale} scale": result.outcome.verdict.value, f"{scale} scale: value": result.numbers}
        rows.append(row | {"note": claim.note})
    return pd.DataFrame(rows).set_index("claim").rename_axis(index=None)


def shown(found: Sequence[ClaimResult]) -> Styler:
    """The same as a notebook shows it."""
    return table_style.styled(table(found))


def legend() -> Styler:
    """A line for each verdict on a claim with its meaning."""
    return table_style.legend(MEANINGS)


def sentence(found: Sequence[ClaimResult]) -> Markdown:
    """How many claims hold at each scale."""
    counts = {scale: Counter(result.outcome.verdict for result in found if result.scale == scale) for scale in SCALES}
    said = {scale: ", ".join(f"{of[verdict]} {verdict}" for verdict in ClaimVerdict if of[verdict]) for scale, of in counts.items()}
    return Markdown(f"**Of {counts[SCALES[0]].total()} claims {'; '.join(f'at the {scale} scale: {of}' for scale, of in said.items())}.**")


def claim_lines(found: Sequence[ClaimResult]) -> list[str]:
    """The claims for a terminal."""
    lines = [sentence(found).data.strip("*")]
    for claim, scales in by_claim(found):
        lines.append(f"\n{claim.place}: {claim.statement} ({claim.quantity}; {claim.rule_text})")
        for scale, result in scales.items():
            lines.append(f"  {scale}: {result.outcome.verdict}" + (f" ({result.numbers})" if result.numbers else ""))
    return lines


def markdown(found: Sequence[ClaimResult]) -> list[str]:
    """The claims as the README has them: each cell of the table holds one value."""
    heads = ["claim of the paper", "place", *(head for scale in SCALES for head in (f"{scale} scale", "n"))]
    rows = [heads, ["---"] * len(heads)]
    for claim, scales in by_claim(found):
        row = [claim.statement, claim.place]
        for result in scales.values():
            verdict = result.outcome.verdict
            row += [verdict.value, ABSENT if verdict is ClaimVerdict.NOT_RUN else result.runs]
        rows.append(row)
    return [f"| {' | '.join(row)} |" for row in rows]
