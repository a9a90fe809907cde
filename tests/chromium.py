"""Pages in headless Chromium, at a chosen width: what a reader would see of them."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Measures the page in a frame: its width, what sticks out of it, and which pictures fail to load.
LOOK = """<script>onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const hidden = (element) => element.closest(".scroll") || element.closest("details:not([open])");
  const wide = [...page.querySelectorAll("main *")].filter(
    (e) => !hidden(e) && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1);
  const failed = [...page.images].filter((image) => !image.complete || !image.naturalWidth);
  document.body.dataset.seen = JSON.stringify({
    width: page.documentElement.clientWidth, content: page.documentElement.scrollWidth,
    images: page.images.length, failed: failed.map((image) => image.alt),
    outside: wide.map((element) => element.outerHTML.slice(0, 80))});
};</script>"""


def look(page: Path, width: int, folder: Path) -> dict:
    """Lay a page out `width` pixels wide; return what `LOOK` measures."""
    frame = f'<iframe style="border:0;width:{width}px;height:3000px" srcdoc="{{}}"></iframe>'
    text = escape(page.read_text(encoding="utf-8"), quote=True)
    wrapper = folder / f"{width}.html"
    wrapper.write_text(f"<!doctype html><body>{LOOK}{frame.format(text)}", encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *FLAGS, profile, "--virtual-time-budget=5000", "--dump-dom"]
    done = subprocess.run(
        [*command, wrapper.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(unescape(re.search(r'data-seen="([^"]*)"', done.stdout)[1]))
