"""Index lists: some of the images of every class, such as the 10 % and 2.5 % of ImageNet on which DrNAS searches.

The command

    python -m drnas_lib.data.index_lists --folder IMAGENET/train --percents 10 2.5 --seed 0 --out params/index_lists/imagenet

writes imagenet_10pct_seed0.json and imagenet_2.5pct_seed0.json. No image is in two lists of one call. The choice follows from the seed and
the names alone: in each class the first images in the order of SHA-256(seed, name).
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path

import numpy as np

from drnas_lib.data.image_files import Files, listing_digest, scan
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.runs import integrity
from drnas_lib.runs.files import resolve


def draw(files: Files, percents: list[float], seed: int) -> list[dict[str, list[int]]]:
    """For each of `percents` the positions of the chosen images in every class, at least one. Raises ValueError over 100 %."""
    if not percents or min(percents) <= 0 or sum(percents) > 100:
        raise ValueError(f"percents {percents}: allowed are numbers above 0 with a sum of at most 100")
    lists: list[dict[str, list[int]]] = [{} for _ in percents]
    for label, name in enumerate(files.classes):
        images = files.names[files.labels == label].tolist()
        keys = [hashlib.sha256(f"{seed} ".encode() + image).digest() for image in images]
        order = sorted(range(len(images)), key=keys.__getitem__)
        counts = [max(1, round(len(images) * percent / 100)) for percent in percents]
        if sum(counts) > len(images):
            raise ValueError(f"class {name} has {len(images)} images, too few for {counts} of them; add some, or lower the percents")
        ends = np.cumsum([0, *counts])
        for chosen, start, end in zip(lists, ends, ends[1:]):
            chosen[name] = sorted(order[start:end])
    return lists


def write(files: Files, percents: list[float], seed: int, out: Path) -> list[Path]:
    """Write `<out>_<percent>pct_seed<seed>.json` for each of `percents`; equal ones are numbered, as 50pct-1 and 50pct-2."""
    paths = []
    for place, (percent, images) in enumerate(zip(percents, draw(files, percents, seed))):
        number = f"-{percents[: place + 1].count(percent)}" if percents.count(percent) > 1 else ""
        path = out.with_name(f"{out.name}_{percent:g}pct{number}_seed{seed}.json")
        count = sum(map(len, images.values()))
        head = {"percent": percent, "seed": seed, "count": count, "of": len(files), "listing_sha256": listing_digest(files)}
        integrity.write(path, head | {"images": images})
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.data.index_lists", description=__doc__.split("\n")[0])
    parser.add_argument("--folder", required=True, help="a folder with one folder of images per class, such as IMAGENET/train")
    parser.add_argument("--percents", type=float, nargs="+", default=[10.0, 2.5], help="of every class, one list for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="the beginning of the files' names")
    given = parser.parse_args(arguments)
    try:
        paths = write(scan(resolve(given.folder)), given.percents, given.seed, resolve(given.out))
    except (MissingData, DamagedData, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(os.path.relpath(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
