# Every table and figure of the paper, from nothing. Each job is one papermill line, which works by hand as well.
#
#   snakemake paper       all of it: months of one GPU, so rather: snakemake --workflow-profile slurm paper
#   snakemake table1      one of table1 ... table6, figure1 ... figure5, proposition1, budgets, timing
#   snakemake smoke       the reduced whole, in minutes on two cores
#   snakemake -n table1   what would run
#
# Any notebook is a target too: snakemake results/notebooks/nas_bench_201_cifar10_full.ipynb. A notebook is there when its job has ended
# well. A job that failed or was stopped left it in running/, and goes on where it was when the same is asked for again.

import sys

from drnas_lib.collection.paper.commands import Command, read_params
from drnas_lib.config.search import SearchConfig

RESULTS = config.get("results", "results")
SEEDS = range(4)
PAPER = {
    "table1": "partial_channels_published_full",
    "table2": "darts_space_table2",
    "table3": "darts_space_table3",
    "table4": "nas_bench_201_published_full",
    "table5": "lambda_ablation_nb201_cifar10",
    "table6": "robust_spaces_table6",
    "figure1": "exploration_nb201_cifar10_drnas_released_seed0",
    "figure2": "darts_space_cells",
    "figure3": "darts_space_cells",
    "figure4": "hessian_nb201_cifar10",
    "figure5": "lambda_ablation_nb201_cifar10",
    "proposition1": "theory_nb201_cifar10_drnas_released_seed0",
    "budgets": "constrained_nb201_cifar10_drnas_released_seed0",
    "timing": "speed_nb201",
}
SMOKE = {
    "table1": "partial_channels_digits_smoke",
    "table2": "darts_space_smoke",
    "table3": "darts_space_smoke",
    "table4": "nas_bench_201_digits_smoke",
    "table5": "lambda_ablation_nb201_digits_smoke",
    "table6": "robust_spaces_smoke",
    "figure1": "exploration_nb201_digits_drnas_smoke_seed0",
    "figure2": "darts_space_smoke",
    "figure3": "darts_space_smoke",
    "figure4": "hessian_nb201_digits_smoke",
    "figure5": "lambda_ablation_nb201_digits_smoke",
    "proposition1": "theory_nb201_digits_drnas_smoke_seed0",
    "budgets": "constrained_nb201_digits_drnas_smoke_seed0",
    "timing": "speed_nb201_smoke",
    "main job": "main_job_nb201_cluttered_digits_smoke",
    "two stages": "search_nb201_digits_drnas_paper_smoke_seed0",
}
METHODS = ("drnas_released", "darts_released", "darts_released_dp", "darts_released_l2")
ROBUST = [f"s{n}_cifar10_{method}" for n in range(1, 5) for method in METHODS]
OWN = ["darts_cifar10_drnas_released", "darts_cifar10_drnas_released_proxy"]
CELLS = {on: glob_wildcards(f"params/retrain/{{cell}}_{on}_released.yaml").cell for on in ("cifar10", "imagenet")}
TRAININGS = {  # behind a table: published cells, the paper's own with all seeds, and cells that searches of ours found
    "table2": [
        *(f"retrain_{cell}_cifar10_released_seed{seed}" for cell in CELLS["cifar10"] for seed in (SEEDS if "drnas" in cell else [0])),
        *(f"retrain_found_cifar10_of_{search}_seed{seed}" for search in OWN for seed in SEEDS),
    ],
    "table3": [
        *(f"retrain_{cell}_imagenet_released_seed0" for cell in CELLS["imagenet"]),
        "retrain_found_imagenet_of_darts_imagenet_drnas_released_seed0",
    ],
    "table6": [f"retrain_found_cifar10_of_{search}_seed{seed}" for search in ROBUST for seed in SEEDS],
    "cells": [],
    "smoke": [
        "retrain_drnas_cifar10_digits_smoke_seed0",
        *(f"retrain_found_digits_smoke_of_{space}_digits_drnas_smoke_seed0" for space in ("darts", "s2")),
    ],
}

# Gives papermill a GPU of its own, and the notebook its name when it has ended well.
shell.prefix('set -euo pipefail; papermill() {{ {sys.executable} -m drnas_lib.collection.workflow.job "$@"; }}; ')


def notebooks(results, names):
    return [f"{results}/notebooks/{name}.ipynb" for name in names]


def searches_of(study):
    """The full-length searches of a table's or study's parameter file; its notebook makes the small ones by itself."""

    def found(w):
        settings = [one for one in Command(study, w.name, w.name).searches() if not one.reduced]
        return notebooks(w.results, [f"search_{one.stem}_seed{one.seed}" for one in settings])

    return found


def trainings_of(w):
    return notebooks(w.results, TRAININGS[w.name])


def folder_of(w):
    """Where the search is kept that a job looks at."""
    return SearchConfig.of(read_params("search", w.search) | {"seed": w.seed, "results": f"{w.results}/search"}).settings().folder


def tables_and_figures(w):
    return notebooks(w.results, (SMOKE if w.results == f"{RESULTS}/smoke" else PAPER).values())


def before_small(w):
    """Small searches are made by the notebooks themselves, and both Table 4 and Table 1 want the one with K = 1: not at once."""
    return notebooks(w.results, [] if w.name.endswith("full") else [f"nas_bench_201_{w.name}"])


onerror:
    print("What failed says why above, and in running/ beside the notebooks. The same command goes on from there.")


wildcard_constraints: results=".+", seed=r"\d+", search="[^/]+", recipe="[^/]+", name="[^/]+"


rule paper:
    input: f"{RESULTS}/notebooks/report.ipynb"


rule smoke:
    input: f"{RESULTS}/smoke/notebooks/report.ipynb"


for target, name in PAPER.items():
    rule:
        name: target
        input: notebooks(RESULTS, [name])


rule search:
    input: "notebooks/search.ipynb", "params/search/{search}.yaml"
    output: "{results}/notebooks/search_{search}_seed{seed}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/search.ipynb {output} -f params/search/{wildcards.search}.yaml -p seed {wildcards.seed}"
           " -p snapshots 10 -p processes {resources.gpu} -p results {wildcards.results}/search"


rule retrain:
    input: "notebooks/retrain.ipynb", "params/retrain/{recipe}.yaml"
    output: "{results}/notebooks/retrain_{recipe}_seed{seed}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/retrain.ipynb {output} -f params/retrain/{wildcards.recipe}.yaml -p seed {wildcards.seed}"
           " -p processes {resources.gpu} -p results {wildcards.results}/retrain"


rule retrain_found:
    input: "notebooks/retrain.ipynb", "params/retrain/{recipe}.yaml", "{results}/notebooks/search_{search}_seed{seed}.ipynb"
    output: "{results}/notebooks/retrain_{recipe}_of_{search}_seed{seed}.ipynb"
    params: run=folder_of
    resources: gpu=1
    shell: "papermill notebooks/retrain.ipynb {output} -f params/retrain/{wildcards.recipe}.yaml -p seed {wildcards.seed}"
           " -p genotype {params.run} -p processes {resources.gpu} -p results {wildcards.results}/retrain"


rule nas_bench_201:
    input: "notebooks/nas_bench_201.ipynb", "params/nas_bench_201/{name}.yaml", searches_of("nas_bench_201")
    output: "{results}/notebooks/nas_bench_201_{name}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/nas_bench_201.ipynb {output} -f params/nas_bench_201/{wildcards.name}.yaml"
           " -p results {wildcards.results}/search -p table_results {wildcards.results}/table_search"


rule partial_channels:
    input: "notebooks/partial_channels.ipynb", "params/partial_channels/{name}.yaml", searches_of("partial_channels"), before_small
    output: "{results}/notebooks/partial_channels_{name}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/partial_channels.ipynb {output} -f params/partial_channels/{wildcards.name}.yaml"
           " -p results {wildcards.results}/search"


rule hessian:
    input: "notebooks/hessian.ipynb", "params/hessian/{name}.yaml", searches_of("hessian")
    output: "{results}/notebooks/hessian_{name}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/hessian.ipynb {output} -f params/hessian/{wildcards.name}.yaml -p results {wildcards.results}/search"


rule lambda_ablation:
    input: "notebooks/lambda_ablation.ipynb", "params/lambda_ablation/{name}.yaml", searches_of("lambda_ablation")
    output: "{results}/notebooks/lambda_ablation_{name}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/lambda_ablation.ipynb {output} -f params/lambda_ablation/{wildcards.name}.yaml"
           " -p results {wildcards.results}/search"


rule main_job:
    input: "notebooks/main_job.ipynb", "params/main_job/{name}.yaml"
    output: "{results}/notebooks/main_job_{name}.ipynb"
    resources: gpu=1
    shell: "papermill notebooks/main_job.ipynb {output} -f params/main_job/{wildcards.name}.yaml"
           " -p results {wildcards.results}/search -p tables {wildcards.results}/main_job"


rule exploration:
    input: "notebooks/exploration.ipynb", "{results}/notebooks/search_{search}_seed{seed}.ipynb"
    output: "{results}/notebooks/exploration_{search}_seed{seed}.ipynb"
    params: run=folder_of
    shell: "papermill notebooks/exploration.ipynb {output} -p run {params.run}"


rule theory:
    input: "notebooks/theory.ipynb", "{results}/notebooks/search_{search}_seed{seed}.ipynb"
    output: "{results}/notebooks/theory_{search}_seed{seed}.ipynb"
    params: run=folder_of
    resources: gpu=1
    shell: "papermill notebooks/theory.ipynb {output} -p run {params.run}"


rule constrained:
    input: "notebooks/constrained.ipynb", "{results}/notebooks/search_{search}_seed{seed}.ipynb"
    output: "{results}/notebooks/constrained_{search}_seed{seed}.ipynb"
    params: run=folder_of
    shell: "papermill notebooks/constrained.ipynb {output} -p run {params.run}"


rule darts_space:
    input: "notebooks/darts_space.ipynb", trainings_of
    output: "{results}/notebooks/darts_space_{name}.ipynb"
    shell: "papermill notebooks/darts_space.ipynb {output} -p results {wildcards.results}"


rule robust_spaces:
    input: "notebooks/robust_spaces.ipynb", trainings_of
    output: "{results}/notebooks/robust_spaces_{name}.ipynb"
    shell: "papermill notebooks/robust_spaces.ipynb {output} -p results {wildcards.results}"


rule speed:
    input: "notebooks/speed.ipynb", "params/speed/{name}.yaml"
    output: "{results}/notebooks/speed_{name}.ipynb"
    threads: 1024  # all that there are: beside nothing else
    resources: gpu=1
    shell: "papermill notebooks/speed.ipynb {output} -f params/speed/{wildcards.name}.yaml -p results {wildcards.results}/speed"


rule report:
    input: "notebooks/report.ipynb", tables_and_figures
    output: "{results}/notebooks/report.ipynb"
    shell: "papermill notebooks/report.ipynb {output} -p results {wildcards.results}"
