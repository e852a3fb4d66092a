"""HTTP/3 over QUIC, both ends aioquic: several connections, one behind a Retry, one whose client changes its keys. The client
logs its keys. What was asked is the server's own account."""

import json
import subprocess
import time

HOSTS = ["h3.test"]
PORT = 4433
SPECS = []
COMPRESS = "gz"
KEYS = True
KEYLOGS = ["keys.log"]
EXPRESSION = "udp"
ROUTES = ["/goods", "/goods/{id}", "/baskets"]


def prepare(lab):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                    "-subj", "/CN=h3.test", "-keyout", lab.work / "server.key", "-out", lab.work / "server.pem"], check=True,
                   capture_output=True)


def serve(lab, here):
    lab.serve(lab.venv / "bin/python", "-B", here / "server.py", PORT, lab.work / "server.pem", lab.work / "server.key",
              lab.work / "account.jsonl")
    time.sleep(2)


def drive(truth):
    import asyncio
    import os
    import ssl

    from aioquic.asyncio import QuicConnectionProtocol, connect
    from aioquic.h3.connection import H3_ALPN, H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration

    class Client(QuicConnectionProtocol):
        def __init__(self, *args, **kw):
            super().__init__(*args, **kw)
            self.http, self.waiting = H3Connection(self._quic), {}

        def quic_event_received(self, event):
            for e in self.http.handle_event(event):
                if isinstance(e, (HeadersReceived, DataReceived)) and e.stream_ended and e.stream_id in self.waiting:
                    self.waiting.pop(e.stream_id).set_result(None)

        async def ask(self, method, path, port, body=b""):
            stream = self._quic.get_next_available_stream_id()
            head = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", f"h3.test:{port}".encode()),
                    (b":path", path.encode()), (b"user-agent", b"aioquic"), (b"accept", b"application/json")]
            if body:
                head.append((b"content-type", b"application/json"))
            self.http.send_headers(stream, head, end_stream=not body)
            if body:
                self.http.send_data(stream, body, end_stream=True)
            self.waiting[stream] = asyncio.get_running_loop().create_future()
            self.transmit()
            await asyncio.wait_for(self.waiting[stream], 10)

    async def talk(port, first, update=False):
        with open(os.environ["SSLKEYLOGFILE"], "a") as log:
            configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name="h3.test",
                                              verify_mode=ssl.CERT_NONE, secrets_log_file=log)
            async with connect("192.0.2.1", port, configuration=configuration, create_protocol=Client) as client:
                await client.ask("GET", "/goods", port)
                for n in range(first, first + 8):
                    await client.ask("GET", f"/goods/{n}", port)
                if update:
                    client.request_key_update()
                await asyncio.gather(*(client.ask("GET", f"/goods/{n}", port) for n in range(first + 8, first + 16)))
                await client.ask("POST", "/baskets", port, b'{"item": 7}')
                await client.ask("GET", "/nothing", port)

    async def all():
        await talk(PORT, 100)
        await talk(PORT, 200, update=True)
        await talk(PORT + 1, 300)
        await asyncio.gather(talk(PORT, 400), talk(PORT, 500))

    asyncio.run(all())


def server_truth(lab, file):
    with file.open("a") as f:
        for line in (lab.work / "account.jsonl").read_text().splitlines():
            call = json.loads(line)
            host, port = call["host"].split(":")
            f.write(json.dumps({"client": "aioquic", "method": call["method"], "scheme": "https", "host": host, "port": int(port),
                                "target": call["path"], "status": call["status"], "request_type": "",
                                "response_type": "application/json"}) + "\n")


def keep(lab, folder):
    (folder / "keys.log").write_text((lab.work / "keys.log").read_text())
