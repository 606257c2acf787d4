"""`python -m alignment.serving.wake`: waits until its standard input ends, and then wakes vLLM.

`alignment.serving.sleep` starts it and holds the other end, which the kernel closes whenever and however that process
ends. The first line is a JSON object with the address to ask and the header `Authorization`.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException

_TRIES = 5
_BETWEEN = 5.0  # seconds
_TIMEOUT = 120.0  # seconds; it copies its weights back to the GPU


def main() -> int:
    """0 once vLLM answered that it is awake; 1, with the reason, if it did not."""
    told = json.loads(sys.stdin.readline())
    sys.stdin.read()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    problem = "it did not answer"
    for tried in range(_TRIES):
        time.sleep(_BETWEEN * bool(tried))
        header = {"Authorization": told["authorization"]}
        request = urllib.request.Request(told["url"], b"", header)  # noqa: S310 - the operator's address
        try:
            with opener.open(request, timeout=_TIMEOUT) as response:
                if json.load(response).get("status") != "sleeping":
                    return 0
                problem = "it stays asleep"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == HTTPStatus.NOT_FOUND:  # without this route it never slept
                return 0
            problem = str(error)
        except (OSError, HTTPException, ValueError) as error:
            problem = str(error)
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
