"""The HTML report in a headless Chromium: how large it is and how fast it opens, or the pictures for docs/report.md.

Times are of one machine and make nothing fail. Run it from the top of the checkout: `python -m tools.report_page`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from psf_audit.rendering import View
from psf_audit.report.html import HTML
from tests import samples
from tests.browsers import PHONE, WIDE, launched, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
# The evidence of the samples is fresh on this day.
AS_OF = date(2026, 11, 22)
TIMES = """() => {
  const [navigation] = performance.getEntriesByType('navigation');
  const [paint] = performance.getEntriesByName('first-contentful-paint');
  return [paint ? paint.startTime : null, navigation.domContentLoadedEventEnd, navigation.loadEventEnd];
}"""


def written(folder: Path) -> dict[str, Path]:
    """The report of each sample, and of an assessment as large as they get."""
    found = {}
    for manifest in sorted(ROOT.glob("samples/*/manifest.yaml")):
        path = folder / f"{manifest.parent.name}.html"
        given = ["--as-of", AS_OF.isoformat(), "--exit-zero", "-o", f"html={path}"]
        command = [sys.executable, "-m", "psf_audit", "assess", str(manifest), *given]
        subprocess.run(command, check=True, capture_output=True)
        found[manifest.parent.name] = path
    found["45 controls with 20,000 findings each"] = folder / "heavy.html"
    (folder / "heavy.html").write_text(HTML.assessment(samples.heavy(), View()), encoding="utf-8")
    return found


def times(browser: Browser, path: Path, rounds: int) -> list[float]:
    """Milliseconds from navigation to the first paint, to the page being read, and to the end of loading: medians."""
    taken = []
    for _ in range(rounds):
        with opened(browser, path) as page:
            page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
            taken.append(page.evaluate(TIMES))
    return [statistics.median(each) for each in zip(*taken, strict=True)]


def bench(browser: Browser, pages: dict[str, Path], rounds: int) -> None:
    """Print what was measured."""
    print(f"Chromium {browser.version}, median of {rounds} openings, milliseconds\n")
    print(f"{'report of':<40}{'bytes':>12}{'first paint':>13}{'read':>8}{'loaded':>8}")
    for name, path in pages.items():
        paint, read, loaded = times(browser, path, rounds)
        print(f"{name:<40}{path.stat().st_size:>12,}{paint:>13.0f}{read:>8.0f}{loaded:>8.0f}")


def screenshots(browser: Browser, pages: dict[str, Path]) -> None:
    """Write the pictures of docs/report.md."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with opened(browser, pages["dn42"]) as page:
        page.screenshot(path=IMAGES / "report-first-screen.png")
        page.evaluate("location.hash = '#control-CHECK-04'")
        page.locator("#control-CHECK-04 .body").wait_for()
        page.locator("#control-CHECK-04").screenshot(path=IMAGES / "report-control.png")
    with opened(browser, pages["guarded"], PHONE, scheme="dark") as page:
        page.screenshot(path=IMAGES / "report-phone-dark.png")
    for path in sorted(IMAGES.glob("report-*.png")):
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(256).save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def main() -> None:
    """Measure, or take the pictures."""
    parser = argparse.ArgumentParser(description=f"The HTML report in a Chromium of {WIDE[0]} by {WIDE[1]} pixels.")
    parser.add_argument("what", choices=["bench", "screenshots"])
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="openings of each page (default: 7)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        pages = written(Path(folder))
        if arguments.what == "bench":
            bench(browser, pages, max(1, arguments.rounds))
        else:
            screenshots(browser, pages)


if __name__ == "__main__":
    main()
