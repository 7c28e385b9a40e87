"""How tables are shown in a notebook."""

import pandas as pd

from drnas_lib.collection.views import tables


def test_numbers_keep_their_significant_digits_and_the_unknown_is_a_dash():
    table = pd.DataFrame({"loss": [0.123456, 1.3e-7, 15434.53], "std": [None, float("nan"), 2.0], "n": [1, 20, 30000]})
    html = tables.shown(table, 4).to_html()
    assert [word for word in ("0.1235", "1.3e-07", "15435", "30000") if f">{word}<" not in html] == []
    assert html.count(f">{tables.ABSENT}<") == 2


def test_a_format_for_one_column_leaves_the_others_alone():
    html = tables.shown(pd.DataFrame({"error (%)": [2.4567], "cell": ["<b>"]}), {"error (%)": "{:.2f}"}).to_html()
    assert ">2.46<" in html and "&lt;b&gt;" in html


def test_a_count_of_the_rows_is_left_out_a_named_index_is_a_column():
    plain = pd.DataFrame({"a": ["x", "y", "y"]}, index=[3, 7, 7])  # one row twice, as where a table is too short for three
    html = tables.shown(plain).to_html()
    assert ">7<" not in html and html.count(">y<") == 2
    named = tables.shown(pd.DataFrame({"a": ["x"]}, index=pd.Index([0.001], name="lam")), 4)
    assert list(named.data.columns) == ["lam", "a"] and ">0.001<" in named.to_html()


def test_a_table_without_rows_says_so():
    assert tables.shown(pd.DataFrame({"a": []})).data == "*None yet.*"


def test_a_listing_has_no_heading():
    html = tables.listing({"protocol": "paper", "seed": 0}).to_html()
    assert "<th" not in html.partition("<thead>")[2].partition("</thead>")[0]
    assert ">protocol<" in html and ">0<" in html
