"""An HTTP/3 server on aioquic, and its own account of each request. Usage: server.py PORT CERTIFICATE KEY ACCOUNT"""

import asyncio
import json
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated

GOODS = json.dumps([{"id": n, "name": f"thing {n}"} for n in range(150)]).encode()


def answer(method, path):
    if method == "GET" and path == "/goods":
        return 200, GOODS
    if method == "GET" and path.startswith("/goods/"):
        return 200, b'{"name": "thing"}'
    if method == "POST" and path == "/baskets":
        return 201, b'{"id": 7}'
    return 404, b"{}"


class Server(QuicConnectionProtocol):
    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.http, self.heads = None, {}

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        if self.http is None:
            return
        for e in self.http.handle_event(event):
            if isinstance(e, HeadersReceived):
                self.heads[e.stream_id] = dict(e.headers)
            if isinstance(e, (HeadersReceived, DataReceived)) and e.stream_ended:
                head = self.heads.pop(e.stream_id)
                method, path = head[b":method"].decode(), head[b":path"].decode()
                status, body = answer(method, path)
                with open(sys.argv[4], "a") as f:
                    f.write(json.dumps({"method": method, "path": path, "host": head[b":authority"].decode(), "status": status}) + "\n")
                self.http.send_headers(e.stream_id, [(b":status", str(status).encode()), (b"content-type", b"application/json"),
                                                     (b"content-length", str(len(body)).encode())])
                self.http.send_data(e.stream_id, body, end_stream=True)
                self.transmit()


async def main():
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False, max_datagram_frame_size=None)
    configuration.load_cert_chain(sys.argv[2], sys.argv[3])
    # The second server asks each client to come again with a token.
    await serve("192.0.2.1", int(sys.argv[1]), configuration=configuration, create_protocol=Server)
    await serve("192.0.2.1", int(sys.argv[1]) + 1, configuration=configuration, create_protocol=Server, retry=True)
    await asyncio.Future()


asyncio.run(main())
