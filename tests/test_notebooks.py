"""The notebooks run from top to bottom, as a reader would run them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

NOTEBOOKS = sorted(Path(__file__).parent.parent.joinpath("notebooks").glob("*.ipynb"))


@pytest.mark.shown
def test_the_notebooks_run_from_top_to_bottom(tmp_path):
    """In one process, which has to load Keras once; each begins without the names of the one before."""
    sources = []
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        sources += ["%reset -f", *(cell.source for cell in cells if cell.cell_type == "code")]
    together = new_notebook(cells=[new_code_cell(source) for source in sources])
    NotebookClient(together, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_its_output(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.get("outputs") for cell in cells)
