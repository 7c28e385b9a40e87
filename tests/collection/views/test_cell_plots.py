"""Tests of drnas_lib.collection.views.cell_plots: every published cell drawn whole, and nothing hidden behind anything else."""

import itertools
import json

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from drnas_lib.collection.views.cell_plots import arrange, cell_graphs, draw_cell, tangle
from drnas_lib.collection.views.style import LABELS
from drnas_lib.genotype import genotype_from_json
from drnas_lib.runs.files import PROJECT

CELLS = {
    path.stem: genotype_from_json(json.loads(path.read_text())["genotype"])
    for path in sorted((PROJECT / "params" / "genotypes").glob("*.json"))
}


@pytest.mark.parametrize("kind", ["normal", "reduce"])
@pytest.mark.parametrize("name", ["drnas_cifar10", "drnas_imagenet", "nasnet_a", "amoebanet_a"])
def test_every_operation_and_node_is_there(name, kind):
    genotype = CELLS[name]
    (ax,) = draw_cell(genotype, "title", kind).axes
    texts = sorted(text.get_text() for text in ax.texts)
    nodes = [str(node) for node in range(len(genotype.edges(kind)) // 2)]
    assert texts == sorted([*nodes, "$c_k$", "$c_{k-1}$", "$c_{k-2}$", *(LABELS[o] for _, _, o in genotype.edges(kind))])
    assert len(ax.patches) == len(genotype.edges(kind)) + len(getattr(genotype, f"{kind}_concat"))


def test_edges_run_from_left_to_right_through_every_layer_between():
    for genotype, kind in itertools.product(CELLS.values(), ("normal", "reduce")):
        graph = cell_graphs(genotype)[kind]
        layers, chains = arrange(graph)
        at = {item: x for x, layer in enumerate(layers) for item in layer}
        assert len(at) == sum(map(len, layers)), "each item stands in one place"
        for (source, target, _), chain in zip(graph.edges, chains, strict=True):
            assert (chain[0], chain[-1]) == (source, target)
            assert [at[item] for item in chain] == list(range(at[source], at[target] + 1))


def test_sorting_the_layers_untangles():
    """The published DrNAS cells need few crossings; the order of the nodes alone gives more."""
    for name, kind, most in (("drnas_cifar10", "reduce", 0), ("drnas_cifar10", "normal", 6), ("drnas_imagenet", "reduce", 5)):
        layers, chains = arrange(cell_graphs(CELLS[name])[kind])
        links = [pair for chain in chains for pair in itertools.pairwise(chain)]
        assert tangle(layers, links)[0] <= most, (name, kind)


@pytest.mark.parametrize("kind", ["normal", "reduce"])
@pytest.mark.parametrize("name", ["drnas_cifar10", "drnas_imagenet"])
def test_no_label_hides_another(name, kind):
    figure = draw_cell(CELLS[name], "title", kind)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
