"""An executed notebook, read: its title, question, first figure, when it ran, and what it ran at which length."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drnas_lib.collection.paper.commands import CONFIGS, planned_searches
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.presets import FAMILIES
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RecordError, RunFolder

FULL, REDUCED, READS, MEASURES = "full length", "reduced", "reads files", "measurement"
UNKNOWN, STOPPED = "length unknown", "stopped with an error"
WITHOUT_RUNS = {"report": READS, "darts_space": READS, "robust_spaces": READS, "speed": MEASURES}  # notebooks that neither search nor train


@dataclass(frozen=True)
class ExecutedNotebook:
    """`source` is the name of the notebook in notebooks/; `length` is one of the words above: whether it ran as the paper does."""

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
    def read(cls, path: Path) -> "ExecutedNotebook":
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
        protocol, length = ("", STOPPED) if papermill.get("exception") else _protocol_and_length(source, papermill.get("parameters") or {})
        ended = papermill.get("end_time") or datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
        digest, when = hashlib.sha256(text).hexdigest(), datetime.fromisoformat(ended)
        return cls(path, digest, source, title, sentence, _first_figure(cells), when, protocol, length)


def _opening(prose: list[str], name: str) -> tuple[str, str]:
    """The first heading, and the question under it, or else the first sentence, without its markup."""
    lines = [line for text in prose[:1] for line in text.splitlines() if line.strip()]
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), name)
    rest = re.sub("[*`]", "", " ".join(line for line in lines if not line.startswith("#"))).removeprefix("Question. ")
    question = re.match(r".*?\?(?=\s|$)|.*?\.(?=\s|$)", rest.removeprefix("Questions. "))
    return title, question[0] if question else rest


def _first_figure(cells: list[dict]) -> bytes | None:
    figures = (output["data"]["image/png"] for cell in cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {}))
    return next((base64.b64decode("".join(figure)) for figure in figures), None)


def _protocol_and_length(source: str, parameters: dict[str, Any]) -> tuple[str, str]:
    """Protocols in words, and whether that was the full length: from the parameters, by the notebook's own configuration."""
    if source in WITHOUT_RUNS:
        return "", WITHOUT_RUNS[source]
    try:
        config = CONFIGS[source].of(parameters)
        protocol, full = _of_config(config)
    except (KeyError, ParameterError, RecordError):
        return "", UNKNOWN
    return protocol, FULL if full else REDUCED


def _of_config(config: Any) -> tuple[str, bool]:
    """Protocol, and whether all of it is at full length. Raises RecordError where the run that is studied cannot be read."""
    if getattr(config, "run", None) is not None:  # a study of one finished run
        record = integrity.record(RunFolder(config.run))
        return record["protocol"], not record["reduced"]
    if not hasattr(config, "searches"):  # one search or training
        settings = config.settings()
        return settings.protocol, not (settings.reduced or getattr(settings, "changed", ()))
    searches = planned_searches(config)
    protocols = " and ".join(dict.fromkeys(settings.protocol for settings in searches))
    reduced = any(settings.reduced or FAMILIES[settings.dataset] == "own" for settings in searches)
    return protocols or "lookup", not reduced  # searches on the benchmark's table are always at full length
