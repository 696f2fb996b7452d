"""MkDocs hook: pages may link to files outside docs/, such as ../benchmarks/README.md.

In the sources these links are relative paths, so they also work where the repository is browsed. For the site, each
linked file becomes a page below repository/: Markdown as it is, other text files as a code block.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "repository"
LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s#]+)(?P<after>(?:#[^)\s]*)?\))")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|/", re.IGNORECASE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file outside docs/ that a page, or one of the added files, links to."""
    waiting = [posixpath.join("docs", file.src_uri) for file in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        for target in _linked(source):
            if target in seen or target.startswith("docs/") or not (ROOT / target).is_file():
                continue
            seen.add(target)
            files.append(_page(target, config))
            if target.endswith(".md"):
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point relative links at the pages of the site. Links to files that do not exist stay, and MkDocs reports them."""
    source = _repository_path(page.file.src_uri)
    return LINK.sub(lambda found: _rewrite(found, source, page.file.src_uri, files), markdown)


def _linked(source: str) -> Iterator[str]:
    """The repository paths that the Markdown file `source` links to."""
    for found in LINK.finditer((ROOT / source).read_text(encoding="utf-8")):
        if not SCHEME.match(found["target"]):
            yield _resolve(source, found["target"])


def _rewrite(found: re.Match, source: str, src_uri: str, files: Files) -> str:
    if SCHEME.match(found["target"]):
        return found[0]
    target = _site_path(_resolve(source, found["target"]))
    if files.get_file_from_path(target) is None:
        return found[0]
    return found["before"] + posixpath.relpath(target, posixpath.dirname(src_uri) or ".") + found["after"]


def _resolve(source: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _site_path(path: str) -> str:
    """Where the site has the repository's file `path`."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{FOLDER}/{path}" + ("" if path.endswith(".md") else ".md")


def _repository_path(src_uri: str) -> str:
    """The repository's file that the site's page `src_uri` shows."""
    return src_uri.removeprefix(f"{FOLDER}/") if src_uri.startswith(f"{FOLDER}/") else f"docs/{src_uri}"


def _page(path: str, config: MkDocsConfig) -> File:
    text = (ROOT / path).read_text(encoding="utf-8")
    if not path.endswith(".md"):
        text = f"# {path}\n\n````{_language(path)}\n{text.rstrip()}\n````\n"
    return File.generated(config, _site_path(path), content=text, inclusion=InclusionLevel.NOT_IN_NAV)


def _language(path: str) -> str:
    suffix = Path(path).suffix
    return {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".cff": "yaml", ".toml": "toml"}.get(suffix, "text")
