"""Whether the page answers, for whoever watches it from outside."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse

router = APIRouter()


@router.get("/alive")
async def alive() -> PlainTextResponse:
    """One word, without looking at anything."""
    return PlainTextResponse("ok")
