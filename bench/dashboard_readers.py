"""Many readers of one cell's WebSocket, a process of its own; the last of them is slow: it reads a message a second.

Its configuration is JSON in argv[1]; what they saw goes to standard output as JSON.
"""

import asyncio
import datetime as dt
import json
import sys
import time
from collections import Counter
from typing import Any

import websockets

SLOW = 1.0  # seconds that the slow one takes for a message


async def read(config: dict[str, Any], is_slow: bool, until: float, seen: dict[str, Any]) -> None:
    headers = {"Authorization": f"Token {config['token']}"}
    url = f"ws://{config['address']}:{config['port']}/ws/cells/{config['cell']}/"
    async with websockets.connect(
        url, additional_headers=headers, max_size=None, max_queue=4, open_timeout=60, compression=None
    ) as socket:
        while time.monotonic() < until:
            try:
                text = await asyncio.wait_for(socket.recv(), max(0.01, until - time.monotonic()))
            except TimeoutError:
                break
            at = time.time()
            kind, seq = _kind(str(text))
            seen["slow" if is_slow else "kinds"][kind] += 1
            if not is_slow:
                seen["bytes"] += len(text)
                if kind == "delta":
                    seen["delays"].append(at - _said_at(str(text)))
            await socket.send(json.dumps({"type": "ack", "seq": seq}))
            if is_slow:
                await asyncio.sleep(SLOW)


def _kind(text: str) -> tuple[str, int]:
    """Without reading all of it: 200 readers in one process have better things to do."""
    head = json.loads(text[: text.index(',"cursor"')] + "}")
    return head["type"], head["seq"]


def _said_at(text: str) -> float:
    begin = text.index('"at":"') + 6
    return dt.datetime.fromisoformat(text[begin : text.index('"', begin)]).timestamp()


async def main(config: dict[str, Any]) -> None:
    seen: dict[str, Any] = {"kinds": Counter(), "slow": Counter(), "bytes": 0, "delays": []}
    until = time.monotonic() + config["seconds"]
    readers = [read(config, n == config["readers"] - 1, until, seen) for n in range(config["readers"])]
    problems = [one for one in await asyncio.gather(*readers, return_exceptions=True) if one is not None]
    seen["problems"] = sorted({repr(one)[:200] for one in problems})
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
