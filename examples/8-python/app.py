import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

SIDECAR = f"http://localhost:{os.environ['DAPR_HTTP_PORT']}/v1.0/bindings/boiler"


def publish(topic, data):
    request = {"operation": "create", "metadata": {"topic": topic}, "data": data}
    urlopen(Request(SIDECAR, json.dumps(request).encode()), timeout=30).close()  # raises unless the broker has it


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self):  # yes, we want the messages
        self.answer(200)

    def do_POST(self):
        reading = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print(f"{self.headers['topic']} says {reading['celsius']}", flush=True)
        try:
            publish("home/boiler/command", {"heating": reading["celsius"] < 58})
            self.answer(200)  # accepted, and only now acknowledged to the broker
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
            self.answer(500)  # refused: comes again, or stays with the broker

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("127.0.0.1", 3000), App).serve_forever()
