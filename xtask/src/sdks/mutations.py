"""Everything that can be done to a webhook on its way, whoever sends it."""

import gzip
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

# What has to become of a changed webhook.
REFUSED = "refused"  # by the SDK and by the gateway
SAME = "same"  # taken by both: it says the same, or what it says is no part of what the carrier signs
STRICTER = "stricter"  # taken by the SDK, refused by the gateway


@dataclass(frozen=True)
class Mutation:
    """A changed webhook."""

    kind: str  # of change, as it is counted
    request: object
    fate: str = REFUSED
    statuses: tuple = (403,)


def same(kind, request):
    """Changed in nothing that matters."""
    return Mutation(kind, request, SAME, (200, 101))


def pairs_of(body):
    """A form's names and values."""
    return parse_qsl(body.decode(errors="replace"), keep_blank_values=True)


def of_form(request, text):
    """A form's mutations. `text` writes pairs as the carrier does before it signs them."""
    pairs = pairs_of(request.body)
    signed = text(pairs)

    def judged(kind, body, ambiguous=False):
        changed = request.saying(body)
        if text(pairs_of(body)) != signed:
            return Mutation(kind, changed)
        if ambiguous:
            # Nobody can tell these apart by their signatures, so what they say is looked at for itself.
            return Mutation(f"{kind}, which leaves what is signed as it was", changed, SAME, (200, 400))
        return same(f"{kind}, which changes nothing", changed)

    def form(kind, changed, ambiguous=False):
        return judged(kind, urlencode(changed).encode(), ambiguous)

    for at, (name, value) in enumerate(pairs):
        before, after = pairs[:at], pairs[at + 1 :]

        def put(*fields, before=before, after=after):
            return before + list(fields) + after

        yield form("a value longer by one character", put((name, value + "1")))
        if value:
            yield form("a value with its first character changed", put((name, other(value[0]) + value[1:])))
            yield form("a value with its last character changed", put((name, value[:-1] + other(value[-1]))))
            yield form("a value emptied", put((name, "")))
            yield form("a border moved into a value", put((name + value[0], value[1:])), ambiguous=True)
        yield form("a field removed", put())
        yield form("a field renamed", put((name + "X", value)))
        yield form("a name in other letters", put((swapped(name), value)))
        yield form("a field twice, first with another value", put((name, value + "2"), (name, value)))
        yield form("a field twice, then with another value", put((name, value), (name, value + "2")))
        yield form("a field twice", put((name, value), (name, value)))
        if after and value != after[0][1]:
            crossed = [(name, after[0][1]), (after[0][0], value)]
            yield form("two values exchanged", before + crossed + after[1:])
    in_order = sorted(pairs)
    for at in range(1, len(in_order)):
        (name, value), swallowed = in_order[at - 1], in_order[at]
        joined = [(name, value + swallowed[0] + swallowed[1])]
        kind = "a field swallowed by the one before it"
        yield form(kind, in_order[: at - 1] + joined + in_order[at + 1 :], ambiguous=True)
    for name, value in ADDED:
        yield form("a field added", pairs + [(name, value)])
    yield form("all fields but the first removed", pairs[:1])
    yield form("the order of the fields turned round", pairs[::-1])
    spelled = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}".replace("%2B", "%2b") for name, value in pairs)
    yield judged("the form spelled in another way", spelled.encode())
    body = request.body
    if b"%2B" in body:
        yield judged("a plus sign not escaped", body.replace(b"%2B", b"+", 1))
    yield judged("semicolons between the fields", body.replace(b"&", b";"))
    for kind, changed in broken(body):
        yield judged(kind, changed)
    yield judged("an ampersand behind the form", body + b"&")
    as_json = json.dumps(dict(pairs)).encode()
    changed = request.saying(as_json).with_header("Content-Type", "application/json")
    yield Mutation("the fields as JSON", changed)


def of_json(request):
    """The mutations of a body that is JSON."""
    document = json.loads(request.body)

    def said(kind, changed):
        body = json.dumps(changed, separators=(",", ":")).encode()
        if body == request.body:
            raise SystemExit(f"error: {kind} is no change")
        return Mutation(kind, request.saying(body))

    for path in leaves(document):
        yield said("a value changed", edited(document, path, changed_leaf))
        yield said("a value made null", edited(document, path, lambda it: None if it is not None else 0))
        yield said("a value removed", edited(document, path, None))
    for path in objects(document):
        yield said("a field added", edited(document, path + ("added",), lambda _: "1"))
    for name in ("from", "to", "call_control_id", "client_state"):
        if isinstance(document["data"]["payload"].get(name), str):
            twice = request.body.replace(b'"payload":{', b'"payload":{"' + name.encode() + b'":"1",', 1)
            yield Mutation("a field twice", request.saying(twice))
    yield Mutation("written with spaces", request.saying(json.dumps(document).encode()))
    yield Mutation("written in lines", request.saying(json.dumps(document, indent=2).encode()))
    turned = {name: document[name] for name in reversed(document)}
    yield said("the order of the fields turned round", turned)
    escaped = request.body.replace(b"call", b"\\u0063all", 1)
    yield Mutation("a letter escaped", request.saying(escaped))
    marked = b"\xef\xbb\xbf" + request.body
    yield Mutation("a byte order mark before the body", request.saying(marked))
    for kind, changed in broken(request.body):
        yield Mutation(kind, request.saying(changed))


def broken(body):
    """A body that something was lost of, or added to."""
    for lost in (1, 2, 3, len(body) // 2):
        yield "the body's end cut off", body[:-lost]
    yield "the body's first byte cut off", body[1:]
    yield "the body gone", b""
    yield "the body twice", body + body
    for space in (b" ", b"\n", b"\r\n", b"\0"):
        yield "white space behind the body", body + space
        yield "white space before the body", space + body
    yield "a byte that is no UTF-8 behind the body", body + b"\xff"


def of_signature(request, header):
    """The mutations of a signature in base64, on whatever it stands."""
    genuine = request.header(header)
    for at, letter in enumerate(genuine):
        flipped = genuine[:at] + BASE64[(BASE64.index(letter) + 32) % 64] if letter != "=" else genuine[:at] + "A"
        yield Mutation("a character of the signature changed", request.with_header(header, flipped + genuine[at + 1 :]))
        if letter != swapped(letter):
            other_case = genuine[:at] + swapped(letter) + genuine[at + 1 :]
            yield Mutation("a character of the signature in the other case", request.with_header(header, other_case))
        cut = genuine[:at] + genuine[at + 1 :]
        yield Mutation("a character of the signature left out", request.with_header(header, cut))
    for length in (0, 1, len(genuine) // 2, len(genuine) - 2, len(genuine) - 1):
        yield Mutation("the signature cut off", request.with_header(header, genuine[:length]))
    yield Mutation("no signature", request.with_header(header, None))
    yield Mutation("the signature twice in one", request.with_header(header, genuine + genuine))
    yield Mutation("the signature turned round", request.with_header(header, genuine[::-1]))
    yield Mutation("the signature without its padding", request.with_header(header, genuine.rstrip("=")))
    yield Mutation("a signature of zeros", request.with_header(header, "A" * len(genuine.rstrip("=")) + "=" * genuine.count("=")))
    yield Mutation("the signature quoted", request.with_header(header, f'"{genuine}"'))
    yield same("the header's name in capitals", request.with_header(header, None).with_header(header.upper(), genuine))


def of_method(request, fate):
    """By another method. The gateway takes only the one that a carrier uses."""
    others = {"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "POST"} - {request.method}
    for method in sorted(others):
        changed = type(request)(method, request.target, request.headers, request.body)
        yield Mutation("another method", changed, fate, (405,))


def of_way(request):
    """What proxies add and hosts pretend: where it says it was sent to is no part of what is believed."""
    for name, value in (("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "http")):
        yield same(f"another {name}", request.with_header(name, value))
    squeezed = request.saying(gzip.compress(request.body)).with_header("Content-Encoding", "gzip")
    yield Mutation("the body compressed", squeezed, REFUSED, (415,))
    large = request.saying(request.body + b"&Padding=" + b"0" * 70_000)
    yield Mutation("a body of more than 64 KiB", large, REFUSED, (413,))


def other(letter):
    """Another letter."""
    return "0" if letter != "0" else "1"


def swapped(text):
    """In the other case."""
    return text.swapcase()


def changed_leaf(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return "changed" if value is None else value + "1"


def leaves(node, path=()):
    """Where the values of a document are."""
    if isinstance(node, (dict, list)) and node:
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from leaves(node[key], path + (key,))
    else:
        yield path


def objects(node, path=()):
    """Where the objects of a document are."""
    if isinstance(node, dict):
        yield path
        for key in node:
            yield from objects(node[key], path + (key,))


def edited(document, path, change):
    """A document with one value changed, or, for no change, gone."""
    copy = json.loads(json.dumps(document))
    node = copy
    for key in path[:-1]:
        node = node[key]
    if change is None:
        del node[path[-1]]
    else:
        there = node[path[-1]] if isinstance(node, list) else node.get(path[-1])
        node[path[-1]] = change(there) if not isinstance(there, (list, dict)) else "1"
    return copy


ADDED = [("Digits", "1"), ("A", ""), ("zzz", "1"), ("CallStatus", "completed"), ("", ""), ("", "1")]
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
