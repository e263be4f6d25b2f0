import re
from pathlib import Path

import pytest

from app.api import pages
from tests.app.conftest import FakeClassifier, made, serve

pytestmark = pytest.mark.anyio

FOLDER = Path(pages.__file__).parents[1] / "page"
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FILES = sorted(path.name for path in FOLDER.iterdir())


def policy_of(header: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in header.split(";"))


async def test_a_browser_gets_the_page_and_others_the_documentation(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        shown = await client.get("/", headers=BROWSER)
        others = [await client.get("/", headers={"accept": accept}) for accept in ("*/*", "application/json", "")]
        form = await client.post("/", json={"inputs": "a"}, headers=BROWSER)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert {(other.status_code, other.headers["location"]) for other in others} == {(307, "/docs")}
    assert {answer.headers["vary"] for answer in (shown, *others)} == {"Accept"}
    assert form.json()[0][0]["label"] == "positive"


async def test_the_pages_policy_lets_nothing_in(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answer = await client.get("/", headers=BROWSER)
    policy = policy_of(answer.headers["content-security-policy"])
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", answer.text), "it would not run"


@pytest.mark.parametrize(("root_path", "base"), [("", "./"), ("/classifier", "/classifier/")])
async def test_every_file_is_found_under_a_prefix(classifier: FakeClassifier, root_path: str, base: str) -> None:
    async with serve(classifier, root_path=root_path) as client:
        shown = (await client.get(f"{root_path}/", headers=BROWSER)).text
        assets = re.findall(rf'(?:src|href)="{re.escape(base)}(page/[^"]+)"', shown)
        answers = [await client.get(f"{root_path}/{asset}") for asset in assets]
        # A proxy may cut the prefix off.
        answers += [await client.get(f"/{asset}") for asset in (*assets, "docs/assets/swagger-ui.css")]
        cut = await client.get("/", headers=BROWSER)
        without_slash = await client.get(root_path or "/", headers=BROWSER)
    assert len(assets) == 6
    assert f'data-root="{base}"' in shown
    assert "{{" not in shown
    assert {answer.status_code for answer in answers} == {200}
    assert cut.text == without_slash.text == shown


async def test_files_are_what_they_say_and_asked_for_again(classifier: FakeClassifier) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    async with serve(classifier) as client:
        for name in FILES:
            answer = await client.get(f"/page/{name}")
            if name == "index.html":
                assert answer.status_code == 404, "it would come without its policy"
                continue
            assert answer.headers["content-type"].split(";")[0] == kinds[Path(name).suffix]
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["x-content-type-options"] == "nosniff"
            again = await client.get(f"/page/{name}", headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")
        for path in ("/page/none.js", "/page/", "/page", "/page/../pages.py", "/page/%2e%2e/pages.py"):
            assert (await client.get(path)).status_code == 404, path


async def test_the_page_comes_before_the_key(classifier: FakeClassifier) -> None:
    headers, line = made()
    async with serve(classifier, api_keys=line) as client:
        open_to_all = [await client.get("/", headers=BROWSER), *[await client.get(f"/page/{name}") for name in FILES]]
        assert {answer.status_code for answer in open_to_all} == {200, 404}
        assert (await client.post("/page/main.js")).status_code == 401
        assert (await client.get("/models")).status_code == 401
        assert (await client.get("/models", headers=headers)).status_code == 200


# --- the files themselves ---


def words_of(language: str) -> dict[str, str]:
    text = (FOLDER / f"{language}.js").read_text("utf-8")
    found = re.findall(r'^  (\w+): "(.*)",$', text, re.MULTILINE)
    assert len(found) == len(dict(found)), "a name is there twice"
    return dict(found)


def test_both_languages_say_the_same_things() -> None:
    english, chinese = words_of("en"), words_of("zh")
    assert list(english) == list(chinese)
    for name, words in english.items():
        assert sorted(re.findall(r"\{\w+\}", words)) == sorted(re.findall(r"\{\w+\}", chinese[name])), name


def test_every_word_that_the_page_asks_for_is_there_and_used() -> None:
    html = (FOLDER / "index.html").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.js") if path.name not in ("en.js", "zh.js"))
    asked = set(re.findall(r'data-t(?:-label|-placeholder)?="(\w+)"', html)) | set(re.findall(r'\bt\("(\w+)"', code))
    known = words_of("en")
    assert asked | OF_THE_SERVER <= known.keys()
    assert not {name for name in known.keys() - asked if f'"{name}"' not in code and name not in OF_THE_SERVER}


OF_THE_SERVER = {"single_label", "multi_label", "embedding"}
"""Words for what the server says."""


def test_nothing_makes_markup_or_asks_elsewhere() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", text)) - {"www.w3.org"}
        assert not hosts, path
        assert len(text.splitlines()) < 250, path
