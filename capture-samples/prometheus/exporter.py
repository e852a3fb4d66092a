"""A small exporter in the clients' namespace: Prometheus is a client too, and this notes each scrape."""

import http.server
import json
import sys


class Exporter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lines = open(sys.argv[1], "a", buffering=1)
    count = 0

    def do_GET(self):
        Exporter.count += 1
        body = "# TYPE jobs_done_total counter\n" + f"jobs_done_total {Exporter.count}\n"
        body += "".join(f'queue_length{{queue="q{n}"}} {n}\n' for n in range(20))
        status = 200 if self.path == "/metrics" else 404
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
        host, _, port = self.headers["Host"].partition(":")
        self.lines.write(json.dumps({"client": "prometheus", "method": "GET", "host": host, "port": int(port), "target": self.path,
                                     "status": status, "request_type": "", "response_type": "text/plain"}) + "\n")

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("192.0.2.10", 9101), Exporter).serve_forever()
