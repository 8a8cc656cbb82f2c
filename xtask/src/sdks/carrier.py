"""What all carriers have in common: accounts with doors at the gateway, and requests to them."""

import base64
import uuid

from mutations import SAME, Mutation, same
from wire import HOST, PUBLIC, Request

FORM = "application/x-www-form-urlencoded"
CALLEE = "+15551234567"
# Every token there is, to sign with for somebody else. Filled in when the configuration is read.
ALL_TOKENS = []

# Where those signed elsewhere might say that they were sent.
ELSEWHERE = [
    ("another scheme", lambda target: f"http://{HOST}{target}"),
    ("a socket's scheme", lambda target: f"wss://{HOST}{target}"),
    ("another host", lambda target: f"https://evil.example{target}"),
    ("a host below ours", lambda target: f"https://a.{HOST}{target}"),
    ("the host in capitals", lambda target: f"https://{HOST.upper()}{target}"),
    ("another port", lambda target: f"https://{HOST}:8443{target}"),
    ("another port", lambda target: f"https://{HOST}:80{target}"),
    ("a user", lambda target: f"https://user:word@{HOST}{target}"),
    ("another path", lambda target: f"https://{HOST}/v2{target}"),
    ("a slash more", lambda target: f"https://{HOST}{target.split('?')[0]}/" + target[len(target.split("?")[0]) :]),
    ("no path", lambda target: f"https://{HOST}"),
    ("another query", lambda target: f"https://{HOST}{target}{'&' if '?' in target else '?'}a=1"),
    ("nothing", lambda target: ""),
]


class Carrier:
    """An account at a carrier, as the gateway's configuration has it."""

    def __init__(self, name, kind, number, table, accounts):
        self.name, self.kind, self.number, self.table = name, kind, number, table
        # All there are, by their names, this one among them.
        self.accounts = accounts

    def behind(self, target):
        """Whose door that is, and so whose SDK has to judge what comes there."""
        return self.accounts.get(target.split("/")[1], self)

    def elsewhere(self, request, fate, unknown):
        """The same webhook at other doors. `unknown`: what becomes of it where there is none."""
        path, _, query = request.target.partition("?")
        tail = f"?{query}" if query else ""
        for account in self.accounts:
            for door in ("voice", "status", "again"):
                target = f"/{account}/{door}"
                if target == path:
                    continue
                ours = account == self.name
                kind = "another door of the account" if ours else "another account's door"
                if ours and fate == SAME:
                    yield same(kind, request.to(target + tail))
                else:
                    yield Mutation(kind, request.to(target + tail))
        nowhere = [f"{path}/", f"/{path}", path.upper(), f"{path}/x", "/", f"/v1{path}", path.replace("/", "/%2e/", 1)]
        for target in nowhere:
            yield Mutation("a path that leads nowhere", request.to(target + tail), unknown, (404,))

    def queries(self, request, text):
        """The same webhook with another query. `text` writes an address as the carrier signs it, if it does."""
        path, _, query = request.target.partition("?")
        changed = [f"{path}?a=1", f"{path}?&"]
        if query:
            pairs = query.split("&")
            first, rest = pairs[0], pairs[1:]
            name, _, value = first.partition("=")
            changed += [
                path,
                f"{path}?{query}0",
                f"{path}?{query}&a=1",
                f"{path}?a=1&{query}",
                f"{path}?{query}&{query}",
                f"{path}?{name}X={value}",
                f"{path}?{name.upper()}={value}",
                f"{path}?{name}=" + "&".join(["0" * len(value), *rest]),
                f"{path}?{name}=" + "&".join([value.swapcase() + "-", *rest]),
                f"{path}?" + "&".join(rest),
            ]
        for target in changed:
            if target == request.target:
                continue
            if text is None or text(PUBLIC + target) == text(PUBLIC + request.target):
                yield same("another query, which is no part of what is signed", request.to(target))
            else:
                yield Mutation("another query", request.to(target))


def opening(url, headers):
    """The opening of a socket."""
    upgrade = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(uuid.uuid4().bytes).decode()),
    )
    return Request("GET", url.removeprefix(PUBLIC.replace("https", "wss", 1)), upgrade + headers)


def socket_paths(carrier, request):
    """The opening of a media socket at other addresses."""
    start, token = request.target.rsplit("/", 1)
    for changed in (token[:-1], "0" * len(token), token.upper(), token[::-1], f"{token}0", f"{token}?a=1"):
        yield Mutation("another media token", request.to(f"{start}/{changed}"))
    for account in carrier.accounts:
        if account != carrier.name:
            yield Mutation("another account's socket", request.to(f"/{account}/media/{token}"))
    yield same("another Host", request.with_header("Host", "evil.example"))


