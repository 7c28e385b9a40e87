"""Some cases of every property; `make soak` holds more than ten thousand."""

import pytest

from drnas_lib.data.image_files import scan
from drnas_lib.search import run as search_run
from tests.reliability import fuzz
from tests.reliability.runs import search_settings
from tests.reliability.targets import finished, of_lists


@pytest.fixture(scope="module")
def properties(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    run = finished(search_run.run, search_settings(place / "run", epochs=[1]))
    of_lists(place / "images")
    return fuzz.properties(place, run, scan(place / "images"))


def test_every_input_is_taken_or_refused_with_the_one_error(properties):
    told = {name: fuzz.cases(held, 25, 0)["told"] for name, held in properties.items()}
    assert len(told) == 21 and all(told.values()), "each property has met something to refuse"


def test_a_property_that_does_not_hold_is_found_out():
    wrong = fuzz.Property(fuzz.NB201, lambda text: {}["never"])
    with pytest.raises(AssertionError, match="KeyError"):
        fuzz.cases(wrong, 5, 0)
