"""The API's application, below /v1: its paths, and their OpenAPI description."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, StreamingResponse

from bot.texts import EN, ZH, texts
from bot.web.api.answering import respond
from bot.web.api.asked import Asker, asked_in_chat, asked_in_text, asker
from bot.web.api.errors import ApiError, ErrorBody, invalid
from bot.web.api.feedback import Feedback, Kept, give, take_back
from bot.web.api.guard import Guard, error_response
from bot.web.api.models import Serving, serving, unknown
from bot.web.api.people import Given, Recorded, known_user, person_of
from bot.web.api.replies import Reply, TextReply
from bot.web.api.requests import LONGEST_USER, ChatBody, TextBody
from bot.web.api.rows import lines, rows_of
from bot.web.site import Site
from data.api_keys import CHAT, FEEDBACK, ROWS, ApiKey
from data.consent import CONSENT_VERSION

router = APIRouter()
_STARTED = int(time.time())
_OBJECT = {"schema": {"type": "object"}}
_COMPLETION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, its pieces as server-sent events.",
        "content": {"application/json": _OBJECT, "text/event-stream": {"schema": {"type": "string"}}},
    }
}
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"description": "A row a line.", "content": {"application/jsonl": {"schema": {"type": "string"}}}}
}
_USER = Path(min_length=1, max_length=LONGEST_USER, description="Your own id of a person.")


def create_api(site: Site) -> FastAPI:
    """The application for a site, for `bot.web.api.below`."""
    api = FastAPI(
        title="Parley",
        summary="OpenAI's completions from a model that learns, and the feedback that it learns from.",
        version="1",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={
            ApiError: _refuse,
            RequestValidationError: _refuse_body,
            HTTPException: _refuse_path,
        },
        responses={"default": {"model": ErrorBody, "description": "What went wrong, in OpenAI's form."}},
        redirect_slashes=False,
    )
    api.state.site = site
    api.include_router(router)
    return api


@router.post("/chat/completions", responses=_COMPLETION, response_model=None)
async def chat_completion(request: Request, body: ChatBody) -> Response:
    """Answer the last of some messages."""
    question = asked_in_chat(body, request.headers)
    return await respond(_site(request), request, _key(request, CHAT), question, Reply(question.model))


@router.post("/completions", responses=_COMPLETION, response_model=None)
async def text_completion(request: Request, body: TextBody) -> Response:
    """Answer a prompt, which is asked as one question."""
    question = asked_in_text(body, request.headers)
    return await respond(_site(request), request, _key(request, CHAT), question, TextReply(question.model))


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """List the models: `parley` (the champion, or during a trial the candidate for some people), and each alone."""
    _key(request, CHAT)
    found = await serving(_site(request))
    return {"object": "list", "data": [_model(name) for name in found.names()]}


@router.get("/models/{model}")
async def model(request: Request, model: str) -> dict[str, Any]:
    """Say whether there is a model of this name now."""
    _key(request, CHAT)
    found: Serving = await serving(_site(request))
    if model not in found.names():
        raise unknown(model, found)
    return _model(model)


@router.post("/feedback", response_model=Kept)
async def feedback(
    request: Request,
    body: Feedback,
    once: Annotated[
        str | None, Header(alias="Idempotency-Key", max_length=255, description="The same key is the same feedback.")
    ] = None,
) -> Kept:
    """Keep what a user thinks of an answer. Only from users who agreed."""
    key = _key(request, FEEDBACK)
    return await give(_site(request), key, body, asker(body.user, body.consent, request.headers), once)


@router.delete("/feedback/{number}")
async def no_feedback(
    request: Request, number: str, user: Annotated[str | None, Query(min_length=1, max_length=LONGEST_USER)] = None
) -> dict[str, Any]:
    """Take feedback back. What was written with it is erased."""
    key = _key(request, FEEDBACK)
    await take_back(_site(request), key, number, asker(user, None, request.headers))
    return {"id": number, "object": "feedback.deleted", "deleted": True}


@router.get("/consent")
async def consent(request: Request) -> dict[str, Any]:
    """Give the text to ask users with, before `consent: true` is sent for them."""
    _key(request, CHAT)
    days = _site(request).settings.retention_days
    said = {"en": EN.consent_question.format(days=days), "zh": ZH.consent_question.format(days=days)}
    return {"object": "consent_text", "version": CONSENT_VERSION, "texts": said}


@router.get("/users/{user:path}")
async def user(request: Request, user: Annotated[str, _USER]) -> dict[str, Any]:
    """Give everything that is kept of a user, for them to read."""
    key, site = _key(request, FEEDBACK), _site(request)
    return await site.store.kept_of(await known_user(site.store, key, user))


@router.delete("/users/{user:path}")
async def no_user(request: Request, user: Annotated[str, _USER]) -> dict[str, Any]:
    """Erase everything that a user said and rated."""
    key, site = _key(request, FEEDBACK), _site(request)
    person = await known_user(site.store, key, user)
    await site.chat.stop_all(person)
    erased = await site.store.eraser.forget(person)
    return {"id": user, "object": "user.deleted", "deleted": True, "erased_texts": erased}


@router.put("/users/{user:path}/consent", response_model=Recorded)
async def user_consent(request: Request, user: Annotated[str, _USER], body: Given) -> Recorded:
    """Record whether a user agrees that Parley learns from what they say from now on."""
    key, site = _key(request, CHAT), _site(request)
    await person_of(site.store, key, Asker(user, body.consent))
    sentences = texts(site.settings.language)
    said = sentences.consent_given if body.consent else sentences.consent_refused
    return Recorded(id=user, consent=body.consent, message=said)


@router.get("/rows", responses=_LINES, response_model=None)
async def rows(
    request: Request,
    kind: Literal["demonstrations", "preferences", "labelled", "prompts"],
    fold: Literal["train", "judge_train", "judge", "gate", "all"] = "train",
) -> Response:
    """Give the rows that may be trained on, in TRL's formats, for the operator's tools."""
    _key(request, ROWS)
    found = await rows_of(_site(request), kind, None if fold == "all" else fold)
    return StreamingResponse(lines(found), media_type="application/jsonl")


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def _key(request: Request, right: str) -> ApiKey:
    """The key of a request. Raises `ApiError` where it may not do this."""
    key: ApiKey = request.state.key
    if not key.may(right):
        said = f"This key may not do that: the operator gave it no right to {right} (`python -m data keys list`)."
        raise ApiError(403, said, "permission_denied")
    return key


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": "parley"}


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error_response(error)


async def _refuse_body(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return error_response(invalid(error.errors()))


async def _refuse_path(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = f"There is nothing at {request.method} {request.url.path[:200]}."
    code = "method_not_allowed" if error.status_code == 405 else "unknown_url"
    refusal = error_response(ApiError(error.status_code, said, code))
    refusal.headers.update(error.headers or {})
    return refusal
