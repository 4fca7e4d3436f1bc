"""A small HTTP server on loopback that stands for a server of models, and misbehaves where a test wants it to."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Fake(ThreadingHTTPServer):
    """Answers every POST with `answer(body)`; after the first `probes` of them with `statuses` in turn before.

    Counts requests and those in flight.
    """

    daemon_threads = True

    def __init__(self, answer, statuses=(), pause=0.0, probes=1):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.statuses, self.pause = answer, list(statuses), pause
        self.probes = probes
        self.asked = self.in_flight = self.most = 0
        self.headers_seen = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(200, {"data": [{"id": "model"}]})

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.asked += 1
            server.in_flight += 1
            server.most = max(server.most, server.in_flight)
            server.headers_seen.append(dict(self.headers))
            status = server.statuses.pop(0) if server.asked > server.probes and server.statuses else 200
        time.sleep(server.pause)
        with server.lock:
            server.in_flight -= 1
        self.reply(status, server.answer(body) if status == 200 else {"error": {"message": "out of order"}})

    def reply(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the client gave up
            self.wfile.write(data)

    def log_message(self, *_):
        pass
