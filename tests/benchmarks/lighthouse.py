"""Lighthouse's four scores for one page of each kind: `python tests/benchmarks/lighthouse.py SITE_DIR`.

Needs Node, which fetches Lighthouse, and a Chromium. The site is served as a web server would serve it, compressed; each page is measured
three times in the mobile profile, and the median counts. Exits with 1 if a median is below 95.
"""

from __future__ import annotations

import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

LIGHTHOUSE = "lighthouse@12.2.3"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
TIMES = 3
ENOUGH = 95


def main(site: Path, pages: list[str]) -> int:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: _Compressed(*args, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{'page':40}" + "".join(f"{name:>16}" for name in CATEGORIES) + f"{'layout shift':>16}{'bytes':>12}")
    worst = 100
    for page in pages:
        reports = [_measure(f"http://127.0.0.1:{server.server_address[1]}/{page}") for _ in range(TIMES)]
        medians = [
            round(statistics.median(100 * report["categories"][name]["score"] for report in reports)) for name in CATEGORIES
        ]
        shift = max(report["audits"]["cumulative-layout-shift"]["numericValue"] for report in reports)
        weight = max(report["audits"]["total-byte-weight"]["numericValue"] for report in reports)
        print(
            f"{page or 'home':40}" + "".join(f"{score:16}" for score in medians) + f"{shift:16.3f}{weight:12,.0f}", flush=True
        )
        for name, audit in sorted(reports[0]["audits"].items()):
            if audit["scoreDisplayMode"] in ("binary", "numeric", "metricSavings") and (audit["score"] or 0) < 0.9:
                print(f"    {audit['score']} {name}: {audit['title']} {audit.get('displayValue', '')}")
        worst = min(worst, *medians)
    server.shutdown()
    return 0 if worst >= ENOUGH else 1


def _measure(url: str) -> dict:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("no chromium or google-chrome on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
        command += [f"--only-categories={','.join(CATEGORIES)}", "--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
        subprocess.run(command, env={**os.environ, "CHROME_PATH": chromium}, check=True, capture_output=True)
        return json.loads(report.read_text())


class _Compressed(http.server.SimpleHTTPRequestHandler):
    """Serves text compressed and lets files be cached, as the servers of static sites do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.exists():
            self.send_error(404)
            return
        body = _compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "index.html").exists():
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:] or ["", "learn/storage/", "claims/", "evidence/"]))
