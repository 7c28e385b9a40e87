"""notebooks/search.ipynb in JupyterLab in a real browser, where there is one: pip install .[browser], and the system's Chromium."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from drnas_lib.runs.files import PROJECT

api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install .[browser]")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")

TOKEN, PATIENCE_S = "known", 120
SMALL = {"epochs": "[6]", "channels": "8", "subset": "256", "batch_size": "32", "train_epochs": "1", "results": "'{runs}'"}
SMALL |= {"random_cells": "1", "train_seeds": "1"}
ERROR = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"


def small_copy(folder):
    """The notebook beside the runs, smaller parameters typed in as a user would: JupyterLab saves what it opens."""
    notebook = json.loads((PROJECT / "notebooks" / "search.ipynb").read_text())
    (cell,) = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())]
    text = "".join(cell["source"])
    for name, value in SMALL.items():
        text, hits = re.subn(rf"(?m)^({name}: .*?= )\S+", rf"\g<1>{value.format(runs=folder / 'runs')}", text)
        assert hits == 1, name
    cell["source"] = text
    (folder / "search.ipynb").write_text(json.dumps(notebook))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that shows tmp_path."""
    small_copy(tmp_path)
    own = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment = os.environ | own | {"PYTHONPATH": str(PROJECT), "JUPYTER_PREFER_ENV_PATH": "1"}
    options = [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}", f"--port={free_port()}", "--allow-root"]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", *options]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        addresses = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stderr)
        address = next(filter(None, addresses))[0]
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate()


def test_the_display_moves_the_figures_appear_and_no_cell_has_an_error(lab):
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 4000})  # JupyterLab shows only what the window has room for
        page.goto(f"{lab}/lab/tree/search.ipynb?token={TOKEN}&reset")
        page.wait_for_selector(".jp-Toolbar-kernelName:has-text('Python 3')", timeout=1000 * PATIENCE_S)
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        page.wait_for_selector("progress", timeout=1000 * PATIENCE_S)
        seen, end = set(), time.monotonic() + PATIENCE_S
        while page.locator(".jp-InputPrompt:text('[*]:')").count():
            assert time.monotonic() < end, "the notebook did not end"
            seen |= {re.sub(r" left.*", "", text) for text in page.locator(".jp-RenderedHTML:has(progress)").all_inner_texts()}
            page.wait_for_timeout(100)
        assert len([text for text in seen if "epoch" in text]) > 1, f"the display stood still: {seen}"
        assert page.locator(ERROR).all_inner_texts() == []
        images = page.locator(".jp-OutputArea img").evaluate_all("all => all.map(image => image.naturalWidth)")
        assert len(images) == 5 and min(images) > 300, "live display, trajectory, concentrations, cell, accuracy"
        assert "Trained alike for 1 epochs" in page.locator(".jp-Notebook").inner_text()
        browser.close()
