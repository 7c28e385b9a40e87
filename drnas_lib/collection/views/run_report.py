"""A finished search or training, read back from its files: what both reports of the notebooks have. No torch."""

from dataclasses import dataclass

import pandas as pd
from pandas.io.formats.style import Styler

from drnas_lib.collection.views import tables
from drnas_lib.genotype import Genotype
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder

LISTED = 5  # unreadable files in the summary; record.json has them all


def read_run(folder: str, kind: str) -> tuple[RunFolder, dict, pd.DataFrame]:
    """Folder, record.json and history.csv of a finished run, `kind` 'search' or 'training'.

    Raises RecordError where the run is unfinished or a file is damaged.
    """
    run = RunFolder(folder)
    run.must_be_done(kind)
    record = integrity.record(run)
    return run, record, integrity.table(run.file("history.csv"), record)


@dataclass(frozen=True)
class RunReport:
    """`record` is record.json, `history` has a row per epoch, `genotype` is the cell that was found or trained."""

    record: dict
    history: pd.DataFrame
    genotype: Genotype

    @property
    def dataset(self) -> str:
        return self.record["data"]["name"]

    @property
    def reasons(self) -> list[str]:
        """What makes the run another than the paper's."""
        return [*self.record["reduced"], *self.record.get("changed", ())]

    @property
    def caution(self) -> str:
        """A sentence about these reasons, empty where there are none."""
        return f" This was a reduced run ({'; '.join(self.reasons)}), not the paper's." if self.reasons else ""

    def listing(self, facts: dict) -> Styler:
        """A column of `facts`, then what every run has: seed, data, device and commit."""
        record, environment, data = self.record, self.record["environment"], self.record["data"]
        rows = facts | {"seed": record["parameters"]["seed"]}
        rows |= {"data": f"{self.dataset}, fingerprint {data['fingerprint'][:16]}. {data['source']}"}
        if unreadable := data.get("unreadable"):
            files = [*unreadable["files"][:LISTED], *(["..."] if unreadable["count"] > LISTED else [])]
            rows |= {"unreadable images": f"{unreadable['count']}: {', '.join(files)}" if files else "none"}
        processes = record.get("processes", 1)
        rows |= {
            "device": f"{record['device']} ({environment['cpu']}), torch {environment['packages'].get('torch')}, "
            f"{processes} {'process' if processes == 1 else 'processes'}",
            "commit": f"{environment['commit']}" + (" with uncommitted changes" if environment["uncommitted_changes"] else ""),
        }
        return tables.listing(rows)

    def duration(self, seconds: float) -> str:
        return f"{seconds:.0f} s, {len(self.history)} epochs, {self.history.images_per_s.median():.0f} images/s"
