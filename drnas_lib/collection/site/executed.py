"""An executed notebook, read: its title, question, first figure, when it ran, and what it ran at what length."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drnas_lib.collection.paper.commands import CONFIGS
from drnas_lib.collection.studies.comparison import PlannedSearch
from drnas_lib.config.parameters import ParameterError, Parameters
from drnas_lib.config.presets import FAMILIES
from drnas_lib.runs import integrity
from drnas_lib.runs.records import RecordError, RunFolder

FULL, REDUCED, READS, MEASURES, UNKNOWN, STOPPED = (
    "full protocol", "reduced", "reads files", "measurement", "length unknown", "stopped with an error",
)  # fmt: skip

BEFORE_SCALES = "preset"  # what said the size of the searches in notebooks executed before there was a scale


@dataclass(frozen=True)
class Executed:
    """`source` is the name of the notebook in notebooks/; `length` says whether it ran as the paper does, in one of the words above."""

    path: Path
    digest: str
    source: str
    title: str
    sentence: str
    thumbnail: bytes | None = field(repr=False)
    ended: datetime
    protocol: str
    length: str

    @property
    def name(self) -> str:
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> "Executed":
        """Raises RecordError where the file is no notebook."""
        try:
            text = path.read_bytes()
            notebook = json.loads(text)
            cells, papermill = notebook["cells"], notebook["metadata"].get("papermill", {})
            prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
            source = Path(papermill.get("input_path") or path).stem
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path} is no notebook that can be read ({type(error).__name__}: {error}). Run it again.") from error
        title, sentence = _opening(prose, path.stem)
        protocol, length = ("", STOPPED) if papermill.get("exception") else _ran(source, papermill.get("parameters") or {})
        ended = papermill.get("end_time") or datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
        digest, when = hashlib.sha256(text).hexdigest(), datetime.fromisoformat(ended)
        return cls(path, digest, source, title, sentence, _first_figure(cells), when, protocol, length)


def _opening(prose: list[str], name: str) -> tuple[str, str]:
    """The first heading, and the question under it, or else the first sentence, without its markup."""
    lines = [line for text in prose[:1] for line in text.splitlines() if line.strip()]
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), name)
    rest = " ".join(line for line in lines if not line.startswith("#")).translate({ord("*"): "", ord("`"): ""})
    rest = re.sub(r"^Questions?\. ", "", rest)
    ends = [place for mark in ("? ", ". ") if (place := f"{rest} ".find(mark)) >= 0]
    return title, rest[: ends[0] + 1] if ends else rest


def _first_figure(cells: list[dict]) -> bytes | None:
    for cell in cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                return base64.b64decode("".join(output["data"]["image/png"]))
    return None


def _ran(source: str, parameters: dict[str, Any]) -> tuple[str, str]:
    """Protocols in words, and whether that was the full length: from the parameters, by the notebook's own configuration."""
    preset = parameters.get(BEFORE_SCALES, "full")
    try:
        found = LENGTHS[source](CONFIGS[source].of({name: value for name, value in parameters.items() if name != BEFORE_SCALES}))
    except (KeyError, ParameterError, RecordError):
        return "", UNKNOWN
    protocol, length = found if isinstance(found, tuple) else ("", found)
    return protocol, length if preset == "full" else REDUCED


def _of_settings(config: Parameters) -> tuple[str, str]:
    settings = config.settings()
    return settings.protocol, REDUCED if settings.reduced or getattr(settings, "changed", ()) else FULL


def _of_searches(config: Parameters) -> tuple[str, str]:
    """Of a comparison or a study, its searches; the lookups of a comparison are always whole."""
    settings = [search.settings if isinstance(search, PlannedSearch) else search for search in config.searches()]
    protocols = " and ".join(dict.fromkeys(one.protocol for one in settings))
    return protocols or "lookup", REDUCED if any(one.reduced or FAMILIES[one.dataset] == "own" for one in settings) else FULL


def _of_run(config: Parameters) -> tuple[str, str]:
    """Of a study of one run: what that run was."""
    if config.run is None:
        return _of_searches(config)
    record = integrity.record(RunFolder(config.run))
    return record["protocol"], REDUCED if record["reduced"] else FULL


LENGTHS: dict[str, Callable[[Parameters], tuple[str, str] | str]] = {
    "report": lambda _: READS,
    "nas_bench_201": _of_searches,
    "partial_channels": _of_searches,
    "darts_space": lambda _: READS,
    "robust_spaces": lambda _: READS,
    "search": _of_settings,
    "retrain": _of_settings,
    "exploration": _of_run,
    "hessian": _of_searches,
    "lambda_ablation": _of_searches,
    "main_job": _of_searches,
    "theory": _of_run,
    "constrained": _of_run,
    "speed": lambda _: MEASURES,
}
ORDER = (*LENGTHS,)  # of the notebooks in the index
