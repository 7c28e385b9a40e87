"""What fills the pages of the site, and the order of the notebooks. The HTML is in index.html and page.html beside it."""

import io
import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import jinja2
from nbconvert import HTMLExporter
from PIL import Image
from pygments.formatters import HtmlFormatter

from drnas_lib.collection.paper.claims import SCALES, sentence
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.table_style import STYLES, VERDICT_OF
from drnas_lib.collection.paper.verdicts import Verdict
from drnas_lib.collection.site.executed import ExecutedNotebook

HERE = files("drnas_lib.collection.site")
WIDTH, HEIGHT = 520, 340  # of a thumbnail, pixels
ORDER = (  # of the notebooks in the index
    "report", "nas_bench_201", "partial_channels", "darts_space", "robust_spaces", "search", "retrain", "exploration", "hessian",
    "lambda_ablation", "main_job", "theory", "constrained", "speed",
)  # fmt: skip


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    loader = jinja2.FunctionLoader(lambda name: (HERE / name).read_text(encoding="utf-8"))
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)


def page(notebook: ExecutedNotebook, folder: Path) -> str:
    """The page of a notebook in the folder of the site: prose and outputs; its code is shown when asked for."""
    body, _ = HTMLExporter(template_name="basic").from_filename(str(notebook.path))
    link = Path(os.path.relpath(notebook.path, folder)).as_posix()
    return _templates().get_template("page.html").render(notebook=notebook, body=body, link=link)


def index(notebooks: list[ExecutedNotebook], report: Report, problems: list[str], api: str | None) -> str:
    """The first page: the claims, the verdicts on the paper's numbers, a card for every notebook, and a link to the API pages."""
    bars = []
    for place, counts in report.counts().iterrows():
        parts = [(v.name, v.value, int(counts[v.value])) for v in Verdict if counts[v.value]]
        at_laptop = sum(bool(finding.laptop) for finding in report.of(place))
        bars.append((place, report.verdict(place), parts, f"{at_laptop} of {counts.sum()}" if at_laptop else ""))
    claims = [(claim, [(of[scale], VERDICT_OF[of[scale].outcome.verdict].name) for scale in SCALES]) for claim, of in report.claims]
    words = {"claims_sentence": sentence(report.claims).data.strip("*"), "opening": report.opening().data.split("\n\n")[0].strip("*")}
    template = _templates().get_template("index.html")
    return template.render(notebooks=notebooks, problems=problems, api=api, bars=bars, claims=claims, scales=SCALES, **words)


def style() -> str:
    """The one style sheet: the site's, that of highlighted code, and the verdicts' colours."""
    code = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    verdicts = "\n".join(f".{v.name} {{ background: {look.tint}; color: {look.ink}; }}" for v, look in STYLES.items())
    return "\n".join([(HERE / "style.css").read_text(encoding="utf-8"), verdicts, code, ""])


def thumbnail(png: bytes) -> bytes:
    """A figure at the size of a card. Raises OSError where it is no picture."""
    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDTH, HEIGHT))
        out = io.BytesIO()
        small.save(out, "PNG", optimize=True)
    return out.getvalue()
