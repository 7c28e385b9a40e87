"""A training on two processes on a CPU (gloo) against one: the process group, its batch norm, the command and the launch."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from drnas_lib.config.cells import find
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.recipes import RECIPES
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.data.batches import Share
from drnas_lib.distributed import launch
from drnas_lib.distributed.__main__ import LostProcess, _stopped, for_process, main, parameters
from drnas_lib.distributed.launch import start
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.retrain.loop import RetrainError, Trainer
from drnas_lib.runs.files import PROJECT, RunFolder, read_json
from drnas_lib.runs.identity import Identity
from tests.reliability.processes import children
from tests.reliability.runs import on_two_processes

CPU = torch.device("cpu")
SMALL = dict(dataset="digits", channels=2, cells=3, subset=192, batch_size=32, epochs=3, cutout=2, device="cpu")


class Shared:
    """Five batches of random images, a share of each."""

    def __init__(self, share):
        self.share, self.classes, self.steps, self.unreadable = share, 10, 5, []

    def epoch(self, epoch):
        generator = torch.Generator().manual_seed(1)
        for _ in range(self.steps):
            x = torch.randn(8, 3, 8, 8, dtype=torch.float64, generator=generator)
            y = torch.randint(10, (8,), generator=generator)
            yield x[self.share.rank :: self.share.world_size], y[self.share.rank :: self.share.world_size]

    def test(self):
        yield from self.epoch(0)


def trained(process_group, folder, cell="drnas_cifar10"):
    """State after five steps in float64, with auxiliary head and batch statistics.

    Without drop path, whose draws are each process' own.
    """
    torch.manual_seed(0)
    net = DartsNetwork(find(cell).genotype, "cifar", channels=2, cells=3, auxiliary_size=8).double()
    recipe = replace(RECIPES["drnas"], epochs=1, lr=0.1, drop_path=0.0)
    training = Trainer(net, Shared(process_group.share), recipe, 0, CPU, Identity("id"), process_group)
    (row,) = training.run(RunFolder(folder))
    return {name: value.clone() for name, value in training.net.state_dict().items()}, row


def worker(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    state, row = trained(ProcessGroup.joined(), folder / "two")
    torch.save((state, row), folder / f"rank{rank}")
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one_on_the_same_batches(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    torch.multiprocessing.start_processes(worker, (tmp_path,), nprocs=2, start_method="spawn")
    one, row = trained(SINGLE_PROCESS, tmp_path / "one")
    for rank in (0, 1):
        state, of_rank = torch.load(tmp_path / f"rank{rank}")
        for name, value in one.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")
        for key in ("train_loss_nats", "train_acc_pct", "test_loss_nats", "test_acc_pct", "test_top5_acc_pct"):
            assert of_rank[key] == pytest.approx(row[key], abs=1e-6)


def torchrun(job, values):
    """Two processes, by the documented command."""
    return subprocess.Popen(
        on_two_processes(job, values), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def lose_a_process(run):
    """Kill one of the two processes of `run` after its first epoch: it ends, and says how to go on."""
    run.stdout.readline()  # an epoch has ended
    os.kill(children(run.pid)[1], signal.SIGKILL)
    _, errors = run.communicate(timeout=600)  # on a busy machine a launcher takes minutes to notice
    assert run.returncode != 0
    assert "start the same command again" in errors, errors


def test_parameters_of_a_file_and_of_the_command(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("epochs: 3\nlr: 1e-2\n")
    found = parameters(["retrain", "-f", str(path), "-p", "epochs", "5", "-p", "name", "mine"])
    assert found == ("retrain", {"epochs": 5, "lr": "1e-2", "name": "mine"})


@pytest.mark.parametrize("rank, expected", [(0, ["block", "barrier"]), (1, ["barrier", "block"])])
def test_rank_zero_reads_first(rank, expected, monkeypatch):
    process_group, order = ProcessGroup(Share(rank, 2)), []
    monkeypatch.setattr(process_group, "barrier", lambda: order.append("barrier"))
    with process_group.rank_zero_first():
        order.append("block")
    assert order == expected


def test_sigterm_is_no_exception_that_a_reader_of_files_takes_for_damage(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(LostProcess, match="start the same command again"):
        try:
            _stopped(signal.SIGTERM, None)
        except Exception:
            pytest.fail("swallowed")


def test_from_a_notebook_on_two_processes(tmp_path):
    config = RetrainConfig.of(SMALL | {"results": str(tmp_path), "processes": 2, "epochs": 1})
    (progress,) = start(config)
    folder = RunFolder(config.settings().folder)
    assert progress.epochs == 1 and folder.done and read_json(folder.file("record.json"))["processes"] == 2
    assert list(start(config)) == []


def test_what_a_process_says_reaches_the_notebook(tmp_path, monkeypatch):
    line = '{"kind": "retrain", "row": {"epoch": 1}, "history": [{"epoch": 1}], "epochs": 3}'
    says = f"import sys; print('NCCL INFO'); print('{line}'); print('noise', file=sys.stderr); sys.exit('process 1: no space left')"
    monkeypatch.setattr(launch, "command", lambda name, processes, file: [sys.executable, "-c", says])
    epochs = start(RetrainConfig.of(SMALL | {"results": str(tmp_path), "processes": 2}))
    assert next(epochs).row == {"epoch": 1}
    with pytest.raises(RetrainError, match="retrain on 2 processes ended with code 1. process 1: no space left"):
        next(epochs)


def test_a_batch_without_equal_shares_and_a_start_without_torchrun(capsys, monkeypatch):
    settings = RetrainConfig.of(SMALL).settings()
    with pytest.raises(ParameterError, match="processes=3 with batch_size=32: .* what divides 32"):
        for_process(settings, 0, 3)
    assert for_process(settings, 1, 2).device == "cpu"
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert main(["retrain"]) == 2 and "started by torchrun" in capsys.readouterr().err
