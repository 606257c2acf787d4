"""A Slack bot on Parley's API that learns: it answers mentions in threads, and 👍 and 👎 as reactions are votes.

Whoever writes "consent" to it is asked whether Parley may learn from them, and answers "agree" or "refuse". It needs
`pip install httpx2`, SLACK_TOKEN (scopes chat:write, reactions:read, app_mentions:read), SLACK_SECRET (to know
Slack's events by), and API_KEY (`python -m data keys add slack --consent`). Slack sends the events app_mention and
reaction_added to port 8322.
"""

import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2

SLACK = os.environ.get("SLACK_API", "https://slack.com/api")
TOKEN = {"Authorization": f"Bearer {os.environ['SLACK_TOKEN']}"}
SECRET = os.environ["SLACK_SECRET"].encode()
PARLEY = os.environ.get("API_ADDRESS", "http://127.0.0.1:8321/v1")
KEY = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
talks: dict[tuple[str, str], list[dict[str, str]]] = {}  # by thread and person
shown: dict[str, str] = {}  # the completion that a message of ours shows
VOTES = {"+1": "up", "-1": "down"}
CONSENT = {"agree": True, "refuse": False}
asked: set[str] = set()  # who was shown what a yes means


def mentioned(event: dict) -> None:
    thread, user, text = event.get("thread_ts", event["ts"]), event["user"], event["text"].partition(">")[2].strip()
    talk, completion = talks.setdefault((thread, user), []), None
    if text == "consent" or (text in CONSENT and user not in asked):
        asked.add(user)
        texts = httpx2.get(f"{PARLEY}/consent", headers=KEY).json()["texts"]
        said = f"{texts['en']}\n\nWrite agree or refuse."
    elif text in CONSENT:
        given = {"consent": CONSENT[text]}
        said = httpx2.put(f"{PARLEY}/users/{user}/consent", headers=KEY, json=given).json()["message"]
    else:
        body = {"model": "parley", "messages": [*talk, {"role": "user", "content": text}], "user": user}
        answer = httpx2.post(f"{PARLEY}/chat/completions", headers=KEY, json=body, timeout=300).json()
        said = answer["error"]["message"] if "error" in answer else answer["choices"][0]["message"]["content"]
        if completion := answer.get("id"):
            talk += [body["messages"][-1], {"role": "assistant", "content": said}]
    message = {"channel": event["channel"], "thread_ts": thread, "text": said or "…"}
    posted = httpx2.post(f"{SLACK}/chat.postMessage", headers=TOKEN, json=message).json()
    if completion:
        shown[posted["ts"]] = completion


def reacted(event: dict) -> None:
    if (vote := VOTES.get(event["reaction"])) and (completion := shown.get(event["item"]["ts"])):
        body = {"kind": "vote", "completion_id": completion, "value": vote, "user": event["user"]}
        httpx2.post(f"{PARLEY}/feedback", headers=KEY, json=body)


class Events(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        sent = self.headers.get("X-Slack-Request-Timestamp", "0")
        right = hmac.new(SECRET, f"v0:{sent}:".encode() + raw, hashlib.sha256).hexdigest()
        trusted = hmac.compare_digest(f"v0={right}", self.headers.get("X-Slack-Signature", ""))
        body = json.loads(raw) if trusted and abs(time.time() - int(sent)) < 300 else {}
        self.send_response(200 if body else 403)
        self.end_headers()
        self.wfile.write(body.get("challenge", "").encode())
        if work := {"app_mention": mentioned, "reaction_added": reacted}.get(body.get("event", {}).get("type")):
            Thread(target=work, args=(body["event"],)).start()  # Slack waits for three seconds only


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8322"))), Events).serve_forever()
