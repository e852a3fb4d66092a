"""A WebSocket server in Python (websockets) with permessage-deflate: feeds, chats, fragmented and binary messages, pings, a
client that takes no compression, refused handshakes. What was said is the server's own account."""

import json
import time

HOSTS = ["live.test"]
PORT = 8765
SPECS = []
COMPRESS = "gz"
ROUTES = ["/feed/{symbol}", "/chat/{room}"]


def serve(lab, here):
    lab.serve(lab.venv / "bin/python", "-B", here / "server.py", PORT, lab.work / "account.jsonl", port=PORT)


def drive(truth):
    import asyncio

    import websockets

    base = f"ws://live.test:{PORT}"

    async def feed(symbol):
        async with websockets.connect(f"{base}/feed/{symbol}") as ws:
            async for _ in ws:
                pass

    async def chat(room, compression="deflate"):
        async with websockets.connect(f"{base}/chat/{room}", compression=compression) as ws:
            for n in range(6):
                await ws.send(json.dumps({"from": "ada", "text": f"hello {n} " * 10}))
                await ws.recv()
            await ws.send(["in ", "several ", "fragments, ", "one message"])
            await ws.recv()
            await ws.send(bytes(range(256)) * 20)
            await ws.recv()
            await ws.ping()
            await asyncio.sleep(0.5)

    async def refused(path, status):
        try:
            await websockets.connect(f"{base}/{path}")
        except websockets.InvalidStatus as e:
            assert e.response.status_code == status
        else:
            raise AssertionError("it should have been refused")

    async def all():
        await asyncio.gather(*(feed(f"{a}{b}{c}") for a, b, c in ("ABC", "XYZ", "QRS", "DEF", "UVW", "LMN", "OPQ", "GHI")))
        for n in range(1001, 1013):
            await chat(n)
        await chat(1013, compression=None)
        for n in range(3):
            await refused("chat/9999", 403)
        await refused("nothing", 404)

    asyncio.run(all())
    time.sleep(0.3)


def server_truth(lab, file):
    with file.open("a") as f:
        for line in (lab.work / "account.jsonl").read_text().splitlines():
            call = json.loads(line)
            f.write(json.dumps({"client": "websockets", "method": "GET", "host": "live.test", "port": PORT, "target": call["path"],
                                "status": call["status"], "request_type": "", "response_type": "", "messages": call["messages"]}) + "\n")
