"""A Telegram bot on Parley's API that learns: 👍 and 👎 are below each answer, and /yes and /no are about consent.

It needs `pip install httpx2`, TELEGRAM_TOKEN (from @BotFather), and API_KEY (`python -m data keys add telegram
--consent`). /new begins a new conversation.
"""

import asyncio
import os

from httpx2 import AsyncClient

TELEGRAM = f"{os.environ.get('TELEGRAM_API', 'https://api.telegram.org')}/bot{os.environ['TELEGRAM_TOKEN']}"
PARLEY = os.environ.get("API_ADDRESS", "http://127.0.0.1:8321/v1")
KEY = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
VOTES = {"👍": "up", "👎": "down"}
talks: dict[tuple[int, str], list[dict[str, str]]] = {}  # what each person said in each chat, and the answers


async def said(http: AsyncClient, chat: int, user: str, text: str) -> None:
    shown, keyboard = "…", []
    talk = talks.setdefault((chat, user), [])
    if text == "/start":
        shown = (await http.get(f"{PARLEY}/consent", headers=KEY)).json()["texts"]["en"] + "\n\n/yes or /no"
    elif text in ("/yes", "/no"):
        given = {"consent": text == "/yes"}
        shown = (await http.put(f"{PARLEY}/users/{user}/consent", headers=KEY, json=given)).json()["message"]
    elif text == "/new":
        talk.clear()
    else:
        body = {"model": "parley", "messages": [*talk, {"role": "user", "content": text}], "user": user}
        answer = (await http.post(f"{PARLEY}/chat/completions", headers=KEY, json=body, timeout=300)).json()
        if "error" in answer:
            shown = answer["error"]["message"]
        else:
            shown = answer["choices"][0]["message"]["content"] or "…"
            talk += [body["messages"][-1], {"role": "assistant", "content": shown}]
            keyboard = [[{"text": t, "callback_data": f"{v} {answer['id']}"} for t, v in VOTES.items()]]
    message = {"chat_id": chat, "text": shown[:4096], "reply_markup": {"inline_keyboard": keyboard}}
    await http.post(f"{TELEGRAM}/sendMessage", json=message)


async def pressed(http: AsyncClient, press: dict, user: str) -> None:
    vote, completion = press["data"].split()
    body = {"kind": "vote", "completion_id": completion, "value": vote, "user": user}
    kept = (await http.post(f"{PARLEY}/feedback", headers=KEY, json=body)).json()
    told = kept.get("message", "Nothing is kept before you agree: /start")
    await http.post(f"{TELEGRAM}/answerCallbackQuery", json={"callback_query_id": press["id"], "text": told[:200]})


async def main(offset: int = 0) -> None:
    async with AsyncClient(timeout=90) as http:
        while True:
            found = await http.post(f"{TELEGRAM}/getUpdates", json={"offset": offset, "timeout": 50})
            for update in found.json()["result"]:
                offset = update["update_id"] + 1
                if press := update.get("callback_query"):
                    await pressed(http, press, str(press["from"]["id"]))
                elif "text" in (message := update.get("message", {})):
                    await said(http, message["chat"]["id"], str(message["from"]["id"]), message["text"])


if __name__ == "__main__":
    asyncio.run(main())
