"""A fake LLM judge on loopback, an OpenAI-compatible server in a thread. It needs no models and no asyncio.

    with FakeJudge(lambda question: "A") as fake:         # replies with what the function makes of the question
        ...
        fake.questions                                    # what it was asked, as it came in
        fake.headers                                      # the headers of each request

The function may also return a number, an HTTP status to fail with, or sleep to be late.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeJudge:
    """A judge that replies with what a function returns. Use it as a context manager."""

    def __init__(self, reply: Callable[[str], str | int], *, redirect: str = "") -> None:
        self.reply, self.redirect = reply, redirect
        self.questions: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.bodies.append(body)
                fake.questions.append(body["messages"][-1]["content"])
                fake.headers.append(dict(self.headers))
                said = fake.reply(fake.questions[-1])
                status = said if isinstance(said, int) else 200
                self.send_response(302 if fake.redirect else status)
                if fake.redirect:
                    self.send_header("Location", fake.redirect)
                # A real server quotes the key in its errors.
                text = json.dumps(_said(said) if status == 200 else _quoted(self))
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "FakeJudge":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _said(content: str | int) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}


def _quoted(request: Any) -> dict[str, Any]:
    return {"error": {"message": f"wrong key: {request.headers.get('Authorization')}"}}


def parts(question: str) -> tuple[str, str]:
    """The two answers in a question, A's and B's."""
    mark = question.split("#", 1)[1][:8]
    pieces = question.split(f"#{mark}")
    return pieces[3].split("\n", 1)[1].strip(), pieces[4].split("\n", 1)[1].strip()
