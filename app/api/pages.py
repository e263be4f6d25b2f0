"""Pages for browsers, with policies under which they load and run their own files only."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE_PATH = "/page"
"""Path of the files of the page that `GET /` shows."""

_FOLDER = Path(__file__).parents[1] / "page"
_ROOT = "{{root}}"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page(html: str) -> HTMLResponse:
    """Returns the page of the documentation, with a policy under which its own inline scripts run and no others.

    Styles may be inline: Swagger's page sets them from its script.
    """
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE_SCRIPT.findall(html))
    return _shown(html, f"script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'")


def home_page(root_path: str) -> HTMLResponse:
    """Returns the page of `GET /`: nothing inline, and no string becomes markup, whatever a script of it tries.

    Args:
        root_path: prefix under which a proxy shows the server. Without one the page's addresses are relative.
    """
    html = _markup().replace(_ROOT, f"{root_path}/" if root_path else "./")
    scripts = "script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    answer = _shown(html, f"{scripts}; style-src 'self'")
    answer.headers["vary"] = "Accept"
    answer.headers["cache-control"] = "no-cache"
    return answer


def wants_page(accept: str) -> bool:
    """Returns whether a client with this `Accept` header is a browser: scripts and tools send `*/*` or JSON.

    >>> wants_page("text/html,application/xhtml+xml,*/*;q=0.8"), wants_page("*/*")
    (True, False)
    """
    return "text/html" in accept.lower()


class PageFiles(StaticFiles):
    """The files below `app/page`. Browsers ask each time whether one is new: those of two versions never mix."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Returns the file, or 404. The page itself is not one of them: here it would come without its policy."""
        answer = await super().get_response("" if path == "index.html" else path, scope)
        if isinstance(answer, FileResponse) or answer.status_code == 304:
            answer.headers["cache-control"] = "no-cache"
        return answer


@cache
def _markup() -> str:
    return (_FOLDER / "index.html").read_text("utf-8")


def _shown(html: str, policy: str) -> HTMLResponse:
    """Returns a page with the policy that all pages share; no other site may show one in a frame."""
    policy = (
        f"default-src 'none'; {policy}; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer", "x-frame-options": "DENY"}
    return HTMLResponse(html, headers=headers)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
