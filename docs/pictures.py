"""Takes the pictures of the documentation from a running portal, in a real Chromium.

    python docs/pictures.py http://127.0.0.1:8000 cell1 --password-file var/admin-password

Writes docs/pictures/dashboard-light.png, dashboard-dark.png and phone.png; `--into` writes them elsewhere.
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PICTURES = (  # name, colour scheme, width, height, device pixels per CSS pixel
    ("dashboard-light", "light", 1440, 1000, 1),
    ("dashboard-dark", "dark", 1440, 1000, 1),
    ("phone", "light", 390, 844, 2),
)


def main() -> int:
    options = _options()
    password = options.password_file.read_text().strip()
    options.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        for name, scheme, width, height, scale in PICTURES:
            path = options.into / f"{name}.png"
            page = _page(browser, scheme, width, height, scale)
            _log_in(page, options.portal, options.user, password, f"/cells/{options.cell}/")
            page.wait_for_selector('#badge[data-status="live"]')
            page.wait_for_selector("#classes tr[data-host]")
            page.wait_for_timeout(1800)  # until what just changed has faded
            page.screenshot(path=str(path))
            print(f"{path}: {path.stat().st_size // 1024} KiB")
        browser.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portal", help="its address")
    parser.add_argument("cell")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password-file", type=Path, default=Path("var/admin-password"))
    parser.add_argument("--into", type=Path, default=HERE / "pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    return parser.parse_args()


def _page(browser: Browser, scheme: str, width: int, height: int, scale: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width < 500,
    )
    return context.new_page()


def _log_in(page: Page, portal: str, user: str, password: str, path: str) -> None:
    page.goto(f"{portal}{path}")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("form.login button")
    page.wait_for_url(f"{portal}{path}")


if __name__ == "__main__":
    sys.exit(main())
