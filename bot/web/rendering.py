"""Pages and their parts from templates; answers from Markdown, without anything that a browser would run or fetch."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

    from bot.web.visitors import Stranger

TEMPLATES = Path(__file__).with_name("templates")
_WORDS = re.compile(r"[\u3400-\u9fff]|\w+|\s+|[^\w\s]")
_LONGEST_DIFFERENCE = 1200  # words of both texts; longer ones are shown whole, one after the other


def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable("image")  # a picture would be fetched from elsewhere

    def link_open(
        renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
    ) -> str:
        tokens[at].attrSet("rel", "noopener noreferrer nofollow")
        tokens[at].attrSet("target", "_blank")
        return renderer.renderToken(tokens, at, options, env)

    parser.add_render_rule("link_open", link_open)
    return parser


_MARKDOWN = _markdown()


def rich(text: str) -> Markup:
    """An answer's Markdown as HTML. Tags in it are shown as they are written, and so are addresses of scripts."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - the parser escapes all that people and models write


def difference(before: str, after: str) -> Markup:
    """What a correction changed, word by word, with <del> and <ins>."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) + len(new) > _LONGEST_DIFFERENCE:
        return Markup("<del>{}</del> <ins>{}</ins>").format(before, after)
    parts = []
    # Spaces match everywhere: as starting points of matches they would make this cubic.
    for kind, i, j, k, m in difflib.SequenceMatcher(str.isspace, old, new).get_opcodes():
        gone, came = "".join(old[i:j]), "".join(new[k:m])
        if kind == "equal":
            parts.append(escape(gone))
            continue
        if gone:
            parts.append(Markup("<del>{}</del>").format(gone))
        if came:
            parts.append(Markup("<ins>{}</ins>").format(came))
    return Markup("").join(parts)


_templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["rich"] = rich


def fragment(visitor: Stranger, template: str, **values: Any) -> str:
    """A part of a page as HTML."""
    return _templates.get_template(template).render(
        t=visitor.texts,
        language=visitor.language,
        root=visitor.request.scope.get("root_path", ""),
        csrf=visitor.session.csrf,
        who=visitor,
        **values,
    )


def shown(visitor: Stranger, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, as the response; a new session is kept."""
    response = HTMLResponse(fragment(visitor, template, **values), status_code=status)
    if visitor.fresh:
        visitor.site.sessions.write(visitor.request, response, visitor.session)
    return response
