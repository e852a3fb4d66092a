"""A WebSocket server with permessage-deflate, and its own account of each connection. Usage: server.py PORT ACCOUNT"""

import asyncio
import http
import json
import sys

import websockets


def write(path, status, received, sent):
    with open(sys.argv[2], "a") as f:
        f.write(json.dumps({"path": path, "status": status, "messages": [received, sent]}) + "\n")


async def talk(connection):
    path, received, sent = connection.request.path, 0, 0
    try:
        if path.startswith("/feed/"):
            for n in range(30):
                await connection.send(json.dumps({"seq": n, "symbol": path[6:], "price": n * 1.25, "note": "the same again " * 8}))
                sent += 1
            await connection.close()
        async for message in connection:
            received += 1
            # As many as were asked for, text or binary as they came.
            await connection.send(message)
            sent += 1
    except websockets.ConnectionClosed:
        pass
    finally:
        write(path, 101, received, sent)


def refuse(connection, request):
    if request.path == "/chat/9999":
        write(request.path, 403, 0, 0)
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
    if not request.path.startswith(("/feed/", "/chat/")):
        write(request.path, 404, 0, 0)
        return connection.respond(http.HTTPStatus.NOT_FOUND, "nothing here\n")
    return None


async def main():
    async with websockets.serve(talk, "0.0.0.0", int(sys.argv[1]), process_request=refuse, ping_interval=0.2):
        await asyncio.Future()


asyncio.run(main())
