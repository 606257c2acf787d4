"""`python -m alignment.serving.wake`: puts vLLM to sleep, waits until its standard input ends, and wakes vLLM.

`alignment.serving.sleep` starts it and holds the other end, which the kernel closes whenever and however that process
ends. The first line is a JSON object with the addresses to ask and the header `Authorization`. When vLLM has answered
the order to sleep, one line is printed: `{}` if it sleeps, else `{"status": 404}` or `{"broke": "why"}`.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any

_FALLS = 3600.0  # seconds; vLLM ends its running answers first, and must not be woken before that
_TRIES = 5
_BETWEEN = 5.0  # seconds
_TIMEOUT = 120.0  # seconds; it copies its weights back to the GPU
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """0 once vLLM answered that it is awake; 1, with the reason, if it did not."""
    told = json.loads(sys.stdin.readline())
    report = _sleep(told)
    with suppress(OSError):  # nobody is there to read it: then vLLM is woken at once
        print(json.dumps(report), flush=True)
    sys.stdin.read()
    problem = _wake(told)
    if problem is None:
        return 0
    print(problem, file=sys.stderr)
    return 1


def _sleep(told: dict[str, str]) -> dict[str, Any]:
    try:
        with _post(told, "sleep", _FALLS) as response:
            response.read()
    except urllib.error.HTTPError as error:
        error.close()
        return {"status": error.code}
    except (OSError, HTTPException) as error:
        return {"broke": str(error) or type(error).__name__}
    return {}


def _wake(told: dict[str, str]) -> str | None:
    """Why vLLM stays asleep; None once it is awake."""
    problem = "it did not answer"
    for tried in range(_TRIES):
        time.sleep(_BETWEEN * bool(tried))
        try:
            with _post(told, "wake", _TIMEOUT) as response:
                if json.load(response).get("status") != "sleeping":
                    return None
                problem = "it stays asleep"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == HTTPStatus.NOT_FOUND:  # without this route it never slept
                return None
            problem = str(error)
        except (OSError, HTTPException, ValueError) as error:
            problem = str(error)
    return problem


def _post(told: dict[str, str], what: str, timeout: float) -> HTTPResponse:
    header = {"Authorization": told["authorization"]}
    request = urllib.request.Request(told[what], b"", header)  # noqa: S310 - the operator's address
    response: HTTPResponse = _OPENER.open(request, timeout=timeout)
    return response


if __name__ == "__main__":
    sys.exit(main())
