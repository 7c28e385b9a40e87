# snakemake -s drnas_lib/collection/workflow/laptop.smk --cores 2      What `make laptop` runs (drnas_lib/collection/workflow/laptop.py): a rule for each job of
# campaign.py, one thread each. Where several can start, searches go before what reads them, and the shorter before the longer.

import sys

from drnas_lib.collection.workflow.campaign import Plan, jobs
from drnas_lib.collection.workflow.laptop import plan_of

JOBS = jobs(plan_of(config))

shell.prefix(f'set -euo pipefail; export OMP_NUM_THREADS=1; papermill() {{{{ {sys.executable} -m drnas_lib.collection.workflow.job "$@"; }}}}; ')


rule laptop:
    input: [job.out for job in JOBS]


for job in JOBS:
    rule:
        name: job.name
        input: job.after, [] if job.notebook == "search" else f"notebooks/{job.notebook}.ipynb"
        output: job.out
        priority: job.priority
        threads: 1
        params: command=job.command
        shell: "{params.command}"
