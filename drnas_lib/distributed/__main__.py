"""The command for torchrun: a search or a training on several processes, one GPU each or on CPUs.

    torchrun --nproc-per-node 8 -m drnas_lib.distributed search -f params/search/darts_imagenet_drnas_released.yaml -p seed 1
    torchrun --nproc-per-node 8 -m drnas_lib.distributed retrain -f params/retrain/drnas_imagenet_imagenet_released.yaml

`batch_size` is that of all processes together: each sees its share of every batch, gradients are averaged, batch norm statistics are those
of the whole batch, and all processes of a search draw the same theta. The first process alone writes files, and prints every epoch as
JSON. The same command continues an interrupted run. On several machines, give each torchrun --nnodes, --rdzv-backend c10d and
--rdzv-endpoint HOST:PORT; all must see the same files.
"""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import torch
import torch.distributed

from drnas_lib.config.parameters import ParameterError, file_of_parameters, from_yaml
from drnas_lib.config.retrain import RetrainSettings
from drnas_lib.config.run_parameters import share_problems
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.distributed.launch import JOBS, ProgressLines
from drnas_lib.errors import UserError
from drnas_lib.parallel.process_group import ProcessGroup
from drnas_lib.runs.files import resolve

SIGNS_OF_LOSS = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out", "NCCL", "remote process")
PR_SET_PDEATHSIG = 1  # linux/prctl.h
TIMEOUT = timedelta(minutes=10)  # for a process that does not answer; one that has ended is noticed at once
GO_ON = "Nothing is lost but the epoch in progress: start the same command again, it continues from the last epoch."


class LostProcess(UserError):
    """Another process of the run has ended; the message says how to go on.

    It is no Exception: SIGTERM raises it anywhere, also where the code takes any Exception for a damaged file.
    """


def parameters(arguments: list[str] | None = None) -> tuple[str, dict]:
    """The name of the job, and the parameters of -f FILE and -p NAME VALUE; of two values of a parameter the last counts."""
    parser = argparse.ArgumentParser(prog="torchrun -m drnas_lib.distributed", description=__doc__.split("\n")[0])
    parser.add_argument("job", choices=JOBS, help="the notebook to run")
    parser.add_argument("-f", "--file", help="a YAML file of parameters, as for papermill")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    given = parser.parse_args(arguments)
    values = file_of_parameters(resolve(given.file)) if given.file else {}
    return given.job, values | {name: from_yaml(value, f"-p {name}") for name, value in given.parameter}


def for_process(settings: SearchSettings | RetrainSettings, rank: int, processes: int) -> SearchSettings | RetrainSettings:
    """The settings with the device of this process. Raises ParameterError if the batch has no equal shares, or GPUs are too few."""
    if problems := list(share_problems(processes, settings.batch_size)):
        raise ParameterError(problems[0])
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if settings.device == "cpu" or not gpus and settings.device == "auto":
        return replace(settings, device="cpu")
    if rank >= gpus:
        raise ParameterError(f"{rank + 1} processes or more on a machine with {gpus} GPUs: start fewer, or use device='cpu'.")
    return replace(settings, device=f"cuda:{rank}")


def end_with_torchrun() -> None:
    """On Linux, end at once when torchrun is killed; otherwise the process would train on and hold the folder."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stopped(number: int, frame: object) -> None:
    """The handler of SIGTERM, which torchrun sends when another process has ended."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise LostProcess(f"torchrun stops this process, because another one has ended or torchrun itself was stopped. {GO_ON}")


@contextmanager
def joined(device: str) -> Iterator[ProcessGroup]:
    """The group of the processes that torchrun started. Raises LostProcess if one of them has ended."""
    if device != "cpu":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("gloo" if device == "cpu" else "nccl", timeout=TIMEOUT)
    try:
        yield ProcessGroup.joined()
    except RuntimeError as error:
        if any(sign in str(error) for sign in SIGNS_OF_LOSS):
            raise LostProcess(
                f"another process of this run has ended or does not answer, so this one stops too. {GO_ON} ({str(error).splitlines()[0]})"
            ) from error
        raise
    finally:
        torch.distributed.destroy_process_group()


def main(arguments: list[str] | None = None) -> int:
    """Run one process of a job. Gives 0, or 2 after an error that the user can correct."""
    rank, local, processes = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 0)))
    try:
        name, values = parameters(arguments)
        if not processes:
            raise ParameterError(f"this module is started by torchrun: torchrun --nproc-per-node 2 -m drnas_lib.distributed {name} -f FILE")
        end_with_torchrun()
        signal.signal(signal.SIGTERM, _stopped)
        job, lines = JOBS[name], ProgressLines()
        config = job.config.of(values)
        settings = for_process(config.settings(), local, processes)
        with joined(settings.device) as process_group:
            for progress in job.run(settings, rerun=config.rerun, process_group=process_group):
                if process_group.is_rank_zero:
                    print(lines.encode(progress), flush=True)
    except UserError as error:
        print(f"process {rank}: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
