"""The report in a real browser: Chromium opens it, and what it shows is asked for.

Left out where no Chromium is installed, so that `pytest` passes on any machine; `.ci/run` installs one.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from runs import sick_diagnosis

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed here; .ci/run installs one")

PROBE = """<!doctype html><iframe id="page" width="{width}" height="800" src="report.html"></iframe><script>
const frame = document.getElementById("page");
frame.onload = () => {{
  const page = frame.contentDocument, root = page.documentElement;
  const style = frame.contentWindow.getComputedStyle(page.body);
  const boxes = [...page.querySelectorAll(".graph .box")], room = page.querySelector(".graph").getBoundingClientRect();
  document.title = JSON.stringify({{
    boxes: boxes.length,
    outside: boxes.filter((box) => box.getBoundingClientRect().bottom > room.bottom + 1).length,
    width: root.scrollWidth, height: root.scrollHeight, heading: page.querySelector("h1").innerText,
    pictures: page.querySelectorAll("svg").length, scripts: page.querySelectorAll("script").length,
    ink: style.color, paper: style.backgroundColor,
  }});
}};
</script>"""


def look(folder, width: int, *options: str) -> dict:
    """What the browser says of report.html in this folder, shown `width` pixels wide."""
    import json

    folder.joinpath("probe.html").write_text(PROBE.format(width=width))
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--virtual-time-budget=5000",
        f"--user-data-dir={folder / 'profile'}", *options, "--dump-dom", folder.joinpath("probe.html").as_uri(),
    ]  # fmt: skip
    page = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert title, page[:2000]
    return json.loads(title.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    diagnosis = sick_diagnosis()
    diagnosis.to_html(folder / "report.html")
    return folder


def brightness(colour: str) -> int:
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


def test_the_page_shows_headline_and_pictures_without_a_script(folder):
    seen = look(folder, 1100)
    assert seen["heading"].strip()
    assert seen["pictures"] >= 3
    assert seen["scripts"] == 0


def test_what_leads_to_what_stays_in_its_figure(folder):
    seen = look(folder, 1100)
    assert seen["boxes"] >= 2
    assert seen["outside"] == 0


def test_it_fits_a_phone(folder):
    """No sideways scrolling at the width of a small phone."""
    assert look(folder, 360)["width"] <= 360


def test_it_is_light_by_day_and_dark_by_night(folder):
    day, night = look(folder, 800), look(folder, 800, "--blink-settings=preferredColorScheme=0")
    assert brightness(day["paper"]) > brightness(day["ink"])
    assert brightness(night["paper"]) < brightness(night["ink"])
