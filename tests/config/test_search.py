"""Every way of getting a parameter wrong against its message; what the right ones become."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT

IMAGENET = {"space": "darts", "dataset": "imagenet"}
TWO_STAGES = {"epochs": [20, 20], "k": [4, 2], "keep": [5, 3]}

# parameters, and what the message must say: the name and value, what is allowed, the nearest match
BAD = [
    # names
    ({"datset": "cifar100"}, ["datset='cifar100'", "no such parameter", "Did you mean `dataset`?"]),
    ({"Seed": 3}, ["Seed=3", "Did you mean `seed`?"]),
    ({"arch_learning_rate": 0.1}, ["arch_learning_rate=0.1", "no such parameter", "arch_lr"]),
    ({"wieght_decay": 0.1}, ["wieght_decay=0.1", "Did you mean `weight_decay`?"]),
    # one of a few words
    ({"space": "nb101"}, ["space='nb101'", "allowed are nb201, darts, s1, s2, s3, s4", "Did you mean `nb201`?"]),
    ({"dataset": "cifar-10"}, ["dataset='cifar-10'", "digits, cifar10, cifar100, imagenet16-120, folder", "Did you mean `cifar10`?"]),
    ({"dataset": "CIFAR100"}, ["dataset='CIFAR100'", "Did you mean `cifar100`?"]),
    ({"dataset": "ImageNet16"}, ["dataset='ImageNet16'", "Did you mean `imagenet16-120`?"]),
    ({"dataset": None}, ["dataset=None", "allowed are cluttered_digits"]),
    ({"method": "dart"}, ["method='dart'", "allowed are rsps, enas, darts", "Did you mean `darts`?"]),
    ({"method": "drnas", "tau_start": 1.0}, ["tau_start=1.0 with method='drnas'", "only gdas, snas read it"]),
    ({"method": "gdas", "step": "weights_only"}, ["step='weights_only' with method='gdas'", "allowed are arch_first"]),
    ({"method": "rsps", "step": "arch_first"}, ["step='arch_first' with method='rsps'", "allowed are weights_only"]),
    ({"method": "snas", "step": "single_level", "bilevel": "second"}, ["step='single_level' with bilevel='second'"]),
    ({"method": "rsps", "bilevel": "second"}, ["step='weights_only' with bilevel='second'"]),
    *(({"method": method, "derive": "softmax"}, ["derive='softmax' with method"]) for method in ("rsps", "enas", "pc_darts")),
    ({"method": "enas"} | TWO_STAGES, ["method='enas'", "learns nothing to prune by"]),
    ({"candidates": 0}, ["candidates=0", "from 1 to 1000000"]),
    ({"split": "half"}, ["split='half'", "allowed are halves, test_half"]),
    ({"protocol": "relased"}, ["protocol='relased'", "allowed are released, paper", "Did you mean `released`?"]),
    ({"lr_after_widening": "restart"}, ["lr_after_widening='restart'", "continued, restart_epoch, restart_cosine"]),
    ({"regulariser": "l2"}, ["regulariser='l2'", "allowed are adam_decay, penalty, kl"]),
    ({"bilevel": 1}, ["bilevel=1", "allowed are first, second"]),
    ({"bilevel": "frist"}, ["bilevel='frist'", "Did you mean `first`?"]),
    ({"evaluate": "tabel"}, ["evaluate='tabel'", "allowed are table, train, none", "Did you mean `table`?"]),
    ({"device": "gpu"}, ["device='gpu'", "auto, cpu, cuda, cuda:N", "Did you mean `cuda`?"]),
    ({"device": "cuda:"}, ["device='cuda:'", "cuda:N"]),
    # truth values
    ({"progressive": "yes"}, ["progressive='yes'", "True and False"]),
    ({"progressive": 1}, ["progressive=1", "True and False"]),
    ({"rerun": None}, ["rerun=None", "True and False"]),
    # whole numbers
    ({"seed": -1}, ["seed=-1", "from 0 to 4294967295"]),
    ({"seed": 2**32}, ["seed=4294967296", "from 0 to 4294967295"]),
    ({"seed": True}, ["seed=True", "a whole number"]),
    ({"seed": None}, ["seed=None", "a whole number"]),
    ({"batch_size": 64.5}, ["batch_size=64.5", "a whole number, 2 or more"]),
    ({"batch_size": 1}, ["batch_size=1", "2 or more"]),
    ({"channels": "sixteen"}, ["channels='sixteen'", "a whole number from 1 to 10000"]),
    ({"cells": 0}, ["cells=0", "from 1 to 1000"]),
    ({"cells": [5]}, ["cells=[5]", "a whole number"]),
    ({"cells": float("inf")}, ["cells=inf", "a whole number"]),
    ({"subset": "5.5"}, ["subset='5.5'", "a whole number"]),
    ({"dataset": "cifar10", "evaluate": "train", "train_epochs": 0}, ["train_epochs=0", "from 1 to 100000"]),
    ({"dataset": "folder", "data_folder": "pictures", "image_size": 4}, ["image_size=4", "from 8 to 2048"]),
    # numbers
    ({"weight_lr": "fast"}, ["weight_lr='fast'", "a number above 0"]),
    ({"weight_lr": 0}, ["weight_lr=0", "a number above 0"]),
    ({"weight_lr": float("nan")}, ["weight_lr=nan", "a number above 0"]),
    ({"weight_lr": ".inf"}, ["weight_lr='.inf'", "a number above 0"]),
    ({"weight_lr_min": -1e-3}, ["weight_lr_min=-0.001", "0 or more"]),
    ({"momentum": 1.0}, ["momentum=1.0", "from 0 to below 1"]),
    ({"momentum": -0.1}, ["momentum=-0.1", "from 0 to below 1"]),
    ({"weight_decay": "inf"}, ["weight_decay='inf'", "0 or more"]),
    ({"weight_decay": False}, ["weight_decay=False", "0 or more"]),
    ({"grad_clip": 0.0}, ["grad_clip=0.0", "above 0"]),
    ({"arch_lr": -3e-4}, ["arch_lr=-0.0003", "above 0"]),
    ({"arch_lr": [3e-4]}, ["arch_lr=[0.0003]", "above 0"]),
    ({"lam": 10**400}, ["lam=1000", "0 or more"]),
    # text
    ({"name": ""}, ["name=''", "it becomes a folder"]),
    ({"name": "a/b"}, ["name='a/b'", "it becomes a folder"]),
    ({"name": "a\\b"}, ["name='a\\\\b'", "it becomes a folder"]),
    ({"name": ".."}, ["name='..'", "it becomes a folder"]),
    ({"name": "x" * 101}, ["name='xxx", "up to 100 letters"]),
    ({"name": 3}, ["name=3", "it becomes a folder"]),
    ({"results": ""}, ["results=''", "path of a folder"]),
    ({"results": None}, ["results=None", "path of a folder"]),
    # stages
    ({"epochs": []}, ["epochs=[]", "for each stage, such as [5, 3]"]),
    ({"epochs": "ten"}, ["epochs='ten'", "a whole number from 1 to 100000, for each stage"]),
    ({"epochs": "25;25"}, ["epochs='25;25'", "for each stage"]),
    ({"epochs": [25, None]}, ["epochs=[25, None]", "for each stage"]),
    ({"epochs": {"first": 25}}, ["epochs={'first': 25}", "for each stage"]),
    ({"epochs": [0]}, ["epochs=[0]", "from 1 to"]),
    ({"epochs": True}, ["epochs=True", "a whole number"]),
    ({"k": 0}, ["k=0", "1 or more"]),
    ({"keep": 6}, ["keep=[6]", "keeps all 5 operations."]),
    ({"keep": [5, 0], "progressive": True}, ["keep=[5, 0]", "from 1 to 8"]),
    ({"arch_warmup": -1}, ["arch_warmup=-1", "0 or more"]),
    ({"k": 3}, ["k=[3] with channels=8", "3 does not divide the channels"]),
    ({"k": 4, "channels": 6}, ["k=[4] with channels=6", "4 does not divide"]),
    ({"keep": 4}, ["keep=[4]", "keeps all 5"]),
    # what a space cannot have
    ({"space": "darts", "keep": [6, 4]}, ["keep=[6, 4]", "keeps all 7 or 8 operations (all, or all but 'none')"]),
    ({"space": "darts", "evaluate": "table"}, ["evaluate='table' with space='darts'", "Allowed are train, none"]),
    ({"space": "darts", "cells": 2}, ["cells=2 with space='darts'", "3 or more"]),
    ({"space": "s2", "progressive": True}, ["progressive=True with space='s2'", "nothing to prune"]),
    ({"space": "s3", "keep": 2}, ["keep=[2]", "keeps all 3 operations"]),
    ({"macro": "imagenet"}, ["macro='imagenet' with space='nb201'", "allowed is cifar"]),
    ({"space": "darts", "macro": "imagenet"}, ["dataset='cluttered_digits', whose images have 16 pixels,", "multiple of 32"]),
    ({"drop_path": 0.2}, ["drop_path=0.2 with space='nb201'"]),
    ({"space": "s4", "drop_path": 1}, ["drop_path=1", "from 0 to below 1"]),
    (TWO_STAGES | {"keep": [5, 3, 4], "k": [4, 2, 1], "epochs": [9, 9, 9]}, ["keep=[5, 3, 4]", "cannot grow from 3 to 4"]),
    (TWO_STAGES | {"k": [2, 4]}, ["k=[2, 4]", "cannot grow from 2 to 4"]),
    (TWO_STAGES | {"keep": [5, 3, 2]}, ["epochs=[20, 20]", "keep=[5, 3, 2]", "one entry for every stage"]),
    ({"epochs": [25, 25]}, ["epochs=[25, 25]", "one entry for every stage", "Set also k, keep"]),
    ({"protocol": "paper", "k": 4}, ["k=[4]", "Set also epochs, keep, which have 2"]),
    ({"epochs": [25, 25], "keep": [5, 3]}, ["keep=[5, 3]", "Set also k,"]),
    ({"arch_warmup": [0, 0]}, ["arch_warmup=[0, 0]", "Set also epochs, k, keep"]),
    (TWO_STAGES | {"arch_warmup": [4]}, ["arch_warmup=[4]", "one entry for every stage"]),
    ({"epochs": 5, "arch_warmup": 5}, ["arch_warmup=[5] with epochs=[5]", "eta would not move in 5 epochs"]),
    ({"protocol": "paper", "epochs": [20, 2]}, ["arch_warmup=[2, 2] with epochs=[20, 2]", "eta would not move in 2 epochs"]),
    (TWO_STAGES | {"progressive": False}, ["progressive=False with epochs=[20, 20], k=[4, 2], keep=[5, 3]", "one stage"]),
    ({"progressive": True, "epochs": 40}, ["progressive=True with epochs=[40]", "several stages"]),
    # pairs
    ({"evaluate": "table"}, ["evaluate='table' with dataset='cluttered_digits'", "Allowed are train, none"]),
    ({"dataset": "folder", "data_folder": "pictures", "evaluate": "table"}, ["evaluate='table' with dataset='folder'"]),
    ({"evaluate": "none", "train_epochs": 5}, ["train_epochs=5 with evaluate='none'", "nothing is trained. Allowed is evaluate='train'"]),
    ({"dataset": "cifar10", "train_epochs": 5}, ["train_epochs=5 with evaluate='table'"]),
    ({"dataset": "cifar10", "random_cells": 5, "train_seeds": 2}, ["random_cells=5 with evaluate='table'", "train_seeds=2 with"]),
    ({"random_cells": 0}, ["random_cells=0", "from 1 to 1000"]),
    ({"data_folder": "pictures"}, ["data_folder='pictures' with dataset='cluttered_digits'", "only dataset='folder' and"]),
    ({"dataset": "folder"}, ["dataset='folder' without data_folder"]),
    ({"dataset": "cifar10", "image_size": 32}, ["image_size=32 with dataset='cifar10'", "only dataset='folder'"]),
    ({"dataset": "folder", "data_folder": "pictures", "image_size": 30}, ["image_size=30", "multiple of 4"]),
    ({"cutout": 100}, ["cutout=100 with images of 16 pixels a side", "at least half of the image", "even numbers from 0 to 10"]),
    ({"space": "s3", "dataset": "cifar10", "cutout": 24}, ["cutout=24 with images of 32 pixels", "from 0 to 22"]),
    ({"cutout": 1}, ["cutout=1", "an even number, 0 or more"]),
    # images that are read as they are needed
    ({"dataset": "imagenet"}, ["dataset='imagenet' with space='nb201'", "Allowed is darts"]),
    ({"dataset": "imagenet", "space": "s2"}, ["dataset='imagenet' with space='s2'", "Allowed is darts"]),
    (IMAGENET | {"subset": 5000}, ["subset=5000 with dataset='imagenet'", "make index lists"]),
    (IMAGENET | {"cutout": 16}, ["cutout=16 with dataset='imagenet'", "streamed images get no hole. Allowed is cutout=0"]),
    (IMAGENET | {"split": "test_half"}, ["split='test_half' with dataset='imagenet'", "index_lists"]),
    (IMAGENET | {"evaluate": "train"}, ["evaluate='train' with dataset='imagenet'", "notebooks/retrain.ipynb"]),
    (IMAGENET | {"image_size": 100}, ["image_size=100", "multiple of 32"]),
    (IMAGENET | {"index_lists": "ten.json"}, ["index_lists='ten.json'", "two files", "for the weights and for eta"]),
    (IMAGENET | {"index_lists": "no.json,neither.json"}, ["index_lists=['no.json', 'neither.json']", "not two index lists", "no.json"]),
    (IMAGENET | {"index_lists": ["params/paper/table1.json"] * 2}, ["these are not two index lists ('percent')"]),
    ({"index_lists": "a.json,b.json"}, ["index_lists=['a.json', 'b.json'] with dataset='cluttered_digits'", "only imagenet reads index"]),
    (IMAGENET | {"workers": -1}, ["workers=-1", "from 0 to 256"]),
    ({"lr_warmup": 21}, ["lr_warmup=21 with epochs=[20]", "not more than all epochs"]),
    ({"lr_after_widening": "continued"}, ["lr_after_widening='continued' with one stage", "nothing is widened"]),
    ({"epochs": 100_001}, ["epochs=100001", "from 1 to 100000"]),
    ({"workers": 257}, ["workers=257", "from 0 to 256"]),
    ({"weight_lr": 1e39}, ["weight_lr=1e+39", "as float32 holds it: from 1.18e-38 to 3.4028235e+38"]),
    ({"lam": 1e-40}, ["lam=1e-40", "as float32 holds it: 0, or from 1.18e-38"]),
    ({"momentum": 1 - 1e-12}, ["momentum=0.999999999999", "to 0.99999994"]),
    ({"processes": 3}, ["processes=3 with batch_size=64", "an equal share"]),
    ({"arch_grad_clip": 0}, ["arch_grad_clip=0", "above 0"]),
    ({"label_smoothing": 1}, ["label_smoothing=1", "from 0 to below 1"]),
    ({"eta_mean": 11, "eta_std": -1}, ["eta_mean=11", "from -10 to 10", "eta_std=-1", "from 0 to 10"]),
    ({"method": "gdas", "tau_line": "ends"}, ["tau_line='ends'", "allowed are both, start, end"]),
    ({"lr_half_period": 9, "lr_after_widening": "restart_cosine"}, ["lr_half_period=9 with", "Allowed are continued, restart_epoch"]),
    (TWO_STAGES | {"method": "pc_darts", "protocol": "paper", "keep": [5, 1]}, ["keep=[5, 1] with none_in_cell=False", "Keep 2 or more"]),
    ({"weight_lr_min": 0.1}, ["weight_lr_min=0.1 with weight_lr=0.025", "not above"]),
    ({"weight_lr": 5e-4}, ["weight_lr_min=0.001 with weight_lr=0.0005", "not above"]),
    ({"subset": 100}, ["subset=100 with batch_size=64", "128 or more"]),
    ({"subset": 256, "batch_size": 256}, ["subset=256 with batch_size=256", "512 or more"]),
]


def settings(**values):
    return SearchConfig.of(values).settings()


def stages(**values):
    return [dataclasses.astuple(stage) for stage in settings(**values).stages]


def message(values):
    with pytest.raises(ParameterError) as error:
        SearchConfig.from_notebook(values)
    return str(error.value)


@pytest.mark.parametrize(("values", "parts"), BAD, ids=lambda part: str(part)[:60])
def test_a_bad_parameter_is_refused_with_help(values, parts):
    said = message(values)
    assert [part for part in parts if part not in said] == [], said
    assert "Input should" not in said  # pydantic's words name neither what is allowed nor why


def test_all_problems_are_told_at_once():
    said = message({"datset": "cifar10", "seed": -1, "weight_lr": "fast", "regulariser": "l2"})
    assert [name for name in ("datset=", "seed=", "weight_lr=", "regulariser=") if name not in said] == []
    said = message({"data_folder": "pictures", "weight_lr_min": 1, "subset": 2, "k": 3, "arch_warmup": 99})
    assert said.count("\n") == 5


def test_the_message_lists_each_problem_once():
    assert message({"cells": 0}).splitlines() == ["the parameters do not fit:", "  cells=0: allowed is a whole number from 1 to 1000."]


@pytest.mark.parametrize("given", [[25], 25, 25.0, "25", "25.0", "[25]", " [ 25 ] ", (25,), ["25"], np.float64(25)])
def test_ways_to_say_the_epochs_of_one_stage(given):
    assert stages(dataset="cifar10", epochs=given) == [(25, 1, 5, 0)]


@pytest.mark.parametrize("given", [[9, 8], (9, 8), "[9, 8]", "9,8", ["9", 8.0]])
def test_ways_to_say_the_epochs_of_two_stages(given):
    assert stages(protocol="paper", epochs=given) == [(9, 8, 5, 2), (8, 4, 3, 2)]


def test_yaml_numbers_arrive_as_text():
    s = settings(weight_lr_min="1e-4", lam="0", arch_lr="1e-3", seed="12345", cells=2.0, momentum=0)
    assert (s.weight_lr_min, s.lam, s.arch_lr, s.seed, s.cells, s.momentum) == (1e-4, 0.0, 1e-3, 12345, 2, 0.0)
    assert [type(v) for v in (s.lam, s.seed, s.cells, s.momentum)] == [float, int, int, float]


def test_complete_lists_are_stages_whatever_the_protocol_has():
    three = {"epochs": [9, 9, 9], "k": [4, 2, 1], "keep": [5, 3, 2]}
    assert stages(**three) == [(9, 4, 5, 0), (9, 2, 3, 0), (9, 1, 2, 0)]
    assert stages(**three, arch_warmup=[3, 0, 1])[0] == (9, 4, 5, 3)
    assert stages(protocol="paper", epochs=9, k=1, keep=5) == [(9, 1, 5, 0)]
    spelt_out = settings(dataset="cifar10", epochs=[50, 50], k=[4, 2], keep=[5, 3])
    assert spelt_out == settings(dataset="cifar10", progressive=True)


def test_a_notebook_is_read_past_what_ipython_and_imports_put_beside_the_parameters():
    names = {"In": [""], "Out": {}, "_": 3, "_i1": "x", "__name__": "__main__", "exit": object(), "json": json, "of": SearchConfig.of}
    assert SearchConfig.from_notebook(names | {"seed": 7, "k": None}) == SearchConfig(seed=7)


def test_a_known_name_is_never_passed_over_for_its_type():
    assert "epochs=range(0, 3)" in message({"epochs": range(3)})


def test_a_configuration_made_directly_is_checked_when_it_is_used():
    with pytest.raises(ParameterError, match="without data_folder"):
        SearchConfig(dataset="folder").settings()


@pytest.mark.parametrize(
    ("values", "stem"),
    [
        ({}, "nb201_cluttered_digits_drnas_released"),
        ({"dataset": "cifar10", "protocol": "paper"}, "nb201_cifar10_drnas_paper"),
        ({"dataset": "cifar10", "k": 4, "cells": 1, "subset": 5000}, "nb201_cifar10_drnas_released_k4_cells1_subset5000"),
        ({"dataset": "cifar10", "progressive": True}, "nb201_cifar10_drnas_released_progressive"),
        ({"dataset": "cifar10", "protocol": "paper", "progressive": False}, "nb201_cifar10_drnas_paper_plain"),
        ({"protocol": "paper", "epochs": [9, 8], "arch_lr": 1e-5}, "nb201_cluttered_digits_drnas_paper_epochs9-8_arch-lr1e-05"),
        ({"regulariser": "kl", "lam": 0.5}, "nb201_cluttered_digits_drnas_released_lam0.5_regulariserkl"),
        ({"dataset": "folder", "data_folder": "docs/images/"}, "nb201_folder_drnas_released_folderimages"),
        ({"dataset": "folder", "data_folder": "docs", "image_size": 64}, "nb201_folder_drnas_released_image-size64_folderdocs"),
        ({"channels": 8, "seed": 0, "evaluate": "none", "rerun": True, "device": "cpu"}, "nb201_cluttered_digits_drnas_released"),
        (IMAGENET, "darts_imagenet_drnas_released"),
        (IMAGENET | {"data_folder": "docs", "image_size": 64}, "darts_imagenet_drnas_released_image-size64_folderdocs"),
        ({"name": "first-try", "cells": 2}, "first-try"),
    ],
)
def test_stem(values, stem):
    assert settings(**values).stem == stem


def test_the_name_of_a_folder_may_have_spaces(tmp_path):
    (tmp_path / "my pictures").mkdir()
    assert settings(dataset="folder", data_folder=f"{tmp_path}/my pictures/").stem == "nb201_folder_drnas_released_foldermy-pictures"


@pytest.mark.parametrize("dataset", [{"dataset": "folder"}, IMAGENET])
@pytest.mark.parametrize("config", [SearchConfig, RetrainConfig], ids=["search", "retrain"])
def test_a_folder_of_images_that_is_not_there_is_told_with_the_parameters(config, dataset, tmp_path):
    given = {name: value for name, value in dataset.items() if name in config.model_fields}
    with pytest.raises(ParameterError) as error:
        config.of(given | {"data_folder": "nowhere"}).settings()
    assert f"data_folder='nowhere': there is no such folder. Looked for was {PROJECT / 'nowhere'}; a relative path" in str(error.value)
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match="allowed is a folder, and that is none"):
        config.of(given | {"data_folder": str(tmp_path / "file")}).settings()


def test_folder():
    assert settings(seed=3).folder == "results/search/nb201_cluttered_digits_drnas_released/seed3"
    assert settings(name="mine", results="elsewhere/").folder == "elsewhere/mine/seed0"


def test_a_long_stem_is_cut_without_two_runs_sharing_it():
    many = {"channels": 32, "cells": 2, "subset": 999, "weight_lr": 0.0125, "momentum": 0.85, "grad_clip": 3.5, "arch_lr": 0.00125}
    one, other = settings(**many, lam=0.25).stem, settings(**many, lam=0.5).stem
    assert len(one) == len(other) == 100
    assert one != other
    assert one.startswith("nb201_cluttered_digits_drnas_released_channels32_cells2_subset999_weight-lr0.0125_")


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({"epochs": 20}, ("20 instead of 100 epochs",)),
        ({"epochs": 200, "cells": 9, "channels": 32}, ()),
        ({"subset": 5000}, ("5000 training images instead of all",)),
        ({"cells": 1, "channels": 8}, ("1 instead of 5 cells per stage", "8 instead of 16 channels")),
        ({"protocol": "paper", "epochs": [25, 20]}, ("45 instead of 50 epochs",)),
    ],
)
def test_why_a_run_is_reduced(values, reasons):
    assert settings(dataset="cifar10", **values).reduced == reasons


def test_the_fingerprint_is_of_what_the_result_depends_on():
    base = settings(dataset="cifar10").fingerprint
    assert len(base) == 16 and int(base, 16) >= 0
    elsewhere = [{"device": "cpu"}, {"workers": 9}, {"processes": 8}, {"results": "there"}, {"rerun": True}, {"name": "n"}]
    for same in (*elsewhere, {"evaluate": "train", "train_epochs": 3}, {"k": 1}):
        assert settings(dataset="cifar10", **same).fingerprint == base, same
    others = [
        {"seed": 1}, {"protocol": "paper"}, {"progressive": True}, {"epochs": 99}, {"k": 2}, {"arch_warmup": 1}, {"batch_size": 32},
        {"channels": 8}, {"cells": 4}, {"subset": 5000}, {"weight_lr": 0.1}, {"weight_lr_min": 0}, {"momentum": 0}, {"weight_decay": 0},
        {"grad_clip": 1}, {"arch_lr": 1e-3}, {"lam": 0}, {"regulariser": "kl"}, {"bilevel": "second"},
        {"dataset": "cifar100"}, {"arch_grad_clip": 1}, {"label_smoothing": 0.1}, {"eta_mean": 1}, {"eta_std": 0.01},
    ]  # fmt: skip
    prints = {settings(**{"dataset": "cifar10"} | other).fingerprint for other in others}
    assert len(prints | {base}) == len(others) + 1
    widened = [settings(progressive=True, lr_after_widening=way).fingerprint for way in ("continued", "restart_epoch", "restart_cosine")]
    assert len(set(widened)) == 3


def test_the_fingerprint_stays_the_same_from_process_to_process():
    code = "from drnas_lib.config.search import SearchConfig; print(SearchConfig.of({}).settings().fingerprint)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == settings().fingerprint


def test_settings_are_frozen_and_go_through_json():
    s = settings(dataset="cifar10", protocol="paper")
    again = json.loads(json.dumps(s.as_dict(), allow_nan=False))
    assert again["stages"] == [{"epochs": 25, "k": 8, "keep": 5, "arch_warmup": 10}, {"epochs": 25, "k": 4, "keep": 3, "arch_warmup": 10}]
    assert again["stem"] == "nb201_cifar10_drnas_paper"
    with pytest.raises(dataclasses.FrozenInstanceError):
        s.seed = 1


def test_a_wrong_parameter_is_told_before_torch_is_imported():
    code = "import sys, drnas_lib.config.search; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
