"""What goes between carriers and the gateway, and the carriers' end of it: it takes every request, and notes it down."""

import http.client
import json
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# As the gateway is configured, and what carriers sign. Nobody ever looks it up.
PUBLIC = "https://voice.example.com"
HOST = "voice.example.com"


def requested(url):
    """What is asked for of an address of ours: what stands behind a # stays with whoever asks."""
    return url.split("#")[0].removeprefix(PUBLIC)


@dataclass(frozen=True)
class Request:
    """A request to the gateway, as it goes over the wire."""

    method: str
    target: str
    headers: tuple = ()
    body: bytes = b""

    def url(self):
        """Where the gateway believes it was sent to."""
        return PUBLIC + self.target

    def header(self, name):
        """The first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_header(self, name, value):
        """The same with that header set; None takes it away."""
        others = tuple((key, it) for key, it in self.headers if key.lower() != name.lower())
        return replace(self, headers=others if value is None else others + ((name, value),))

    def to(self, target):
        """The same to another path."""
        return replace(self, target=target)

    def saying(self, body):
        """The same with another body."""
        return replace(self, body=body)


@dataclass
class Gateway:
    """The gateway under test."""

    port: int
    token: str
    line: http.client.HTTPConnection = field(init=False)

    def __post_init__(self):
        self.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def send(self, request):
        """Sends what a carrier, or someone else, would: the status, and the text."""
        headers = {"Host": HOST, "Content-Length": str(len(request.body))}
        if request.method == "GET" and not request.body:
            del headers["Content-Length"]
        pairs = [(name, value) for name, value in headers.items() if request.header(name) is None]
        pairs += request.headers
        for attempt in (1, 2):
            try:
                self.line.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
                for name, value in pairs:
                    self.line.putheader(name, value)
                self.line.endheaders(request.body or None)
                answer = self.line.getresponse()
                if answer.status == 101:
                    # A socket is opened, which is all that was asked.
                    self.line.close()
                    return 101, ""
                return answer.status, answer.read().decode()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # It closed a line that had been idle, or whose request it had read enough of.
                self.line.close()
                if attempt == 2:
                    raise
        raise AssertionError("the second attempt ends it")

    def control(self, method, path, body=None):
        """Asks the control API."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        line.request(method, path, body=body, headers=headers)
        answer = line.getresponse()
        text = answer.read().decode()
        line.close()
        if answer.status >= 300:
            raise SystemExit(f"error: {method} {path} was answered {answer.status}: {text}")
        return text

    def calls(self):
        """All calls there have been, newest first."""
        return json.loads(self.control("GET", "/v1/calls?most=500"))

    def events(self, call):
        """What has happened on a call."""
        text = self.control("GET", f"/v1/calls/{call}/events?past=true")
        return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]


class FarEnd:
    """The carriers' REST APIs, which do as they are told, and know what that was. `apis`: what each answers, by what
    the paths of its API begin with."""

    def __init__(self, port, apis):
        self.requests = []
        self.news = threading.Condition()
        far_end = self

        class Answers(BaseHTTPRequestHandler):
            """Answers one connection."""

            protocol_version = "HTTP/1.1"

            def answer(self):
                """Notes a request down, and says yes."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                place = self.path.split("?")[0]
                answer = next(it for root, it in apis.items() if place.startswith(root))
                status, text = answer(self.command, place)
                with far_end.news:
                    noted = (self.command, self.path, self.headers.get("Authorization", ""), body, text)
                    far_end.requests.append(noted)
                    far_end.news.notify_all()
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(text.encode())

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, format, *args):
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def wait(self, wanted, what, since=0):
        """The first request after the first `since` that is wanted; it may take a moment."""
        with self.news:
            def found():
                return next((it for it in self.requests[since:] if wanted(it)), None)

            if not self.news.wait_for(found, timeout=10):
                raise SystemExit(f"error: the gateway did not {what}: {self.requests[since:]}")
            return found()
