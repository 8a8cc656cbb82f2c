"""How each carrier writes its webhooks and signs them, by the code of its own SDK."""

import base64
import hashlib
import hmac
import json
import logging
import time
import uuid
from email.utils import formatdate
from urllib.parse import parse_qs, urlencode

from nacl.signing import SigningKey
from plivo.utils import signature_v3, validate_signature, validate_v3_signature
from telnyx import Telnyx as TelnyxClient
from twilio.request_validator import HMAC_SHA1, RequestValidator, get_signature_algorithm

from mutations import REFUSED, SAME, STRICTER, Mutation, of_form, of_json, of_method, of_signature, of_way, pairs_of, same
from wire import HOST, PUBLIC, Request

# Telling it that an algorithm is unknown is what some mutations are for.
logging.getLogger("twilio.request_validator").setLevel(logging.ERROR)

FORM = "application/x-www-form-urlencoded"
CALLEE = "+15551234567"

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

    def queries(self, request, text, taken=None):
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


class Parameters:
    """A form as web frameworks hand it to the SDK."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __iter__(self):
        return iter([name for name, _ in self.pairs])

    def __len__(self):
        return len(self.pairs)

    def getlist(self, name):
        """All values of a name."""
        return [value for key, value in self.pairs if key == name]


class Twilio(Carrier):
    """Signs the address and the fields, with the account's token."""

    HEADER = "X-Twilio-Signature"
    SETTINGS = "X-Twilio-Webhooks-Signature-Settings"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.account, self.token = self.table["account_sid"], self.table["auth_token"]
        self.validator = RequestValidator(self.token)

    def webhook(self, target, fields):
        """A genuine one."""
        pairs = list(fields.items())
        signature = self.validator.compute_signature(PUBLIC + target, Parameters(pairs))
        headers = (
            ("Content-Type", f"{FORM}; charset=UTF-8"),
            ("User-Agent", "TwilioProxy/1.1"),
            ("Accept", "*/*"),
            ("I-Twilio-Idempotency-Token", str(uuid.uuid4())),
            (self.HEADER, signature),
        )
        return Request("POST", target, headers, urlencode(pairs).encode())

    def socket(self, url):
        """The opening of a media socket: signed as the address that was given, with nothing else."""
        signature = self.validator.compute_signature(url, {})
        return opening(url, ((self.HEADER.lower(), signature),))

    def accepts(self, request):
        """Whether the SDK takes it for genuine, in a server that uses it as its documentation says."""
        signature = request.header(self.HEADER)
        if signature is None or get_signature_algorithm(request.header(self.SETTINGS)).upper() != HMAC_SHA1:
            # Any other is with a key that the account does not have.
            return False
        url = request.url()
        if request.header("Upgrade"):
            return self.validator.validate(url.replace("https", "wss", 1), {}, signature)
        is_form = (request.header("Content-Type") or "").split(";")[0].strip().lower() == FORM
        if request.method != "POST":
            parameters = {}
        elif is_form:
            parameters = Parameters(pairs_of(request.body))
        else:
            parameters = request.body.decode(errors="replace")
        try:
            return self.validator.validate(url, parameters, signature)
        except TypeError:
            # It was given a text where there is no hash of one in the address.
            return False

    def text(self, pairs):
        """The fields as they are signed."""
        return "".join(name + value for name, value in sorted(set(pairs)))

    def mutations(self, request):
        """Everything that can be done to a webhook of this carrier."""
        form = Parameters(pairs_of(request.body))
        yield from of_form(request, self.text)
        yield from of_signature(request, self.HEADER)
        yield from of_method(request, REFUSED)
        yield from of_way(request, PUBLIC)
        yield from self.elsewhere(request, REFUSED, REFUSED)
        yield from self.queries(request, lambda url: url)
        if "?" not in request.target:
            # Python's URL library forgets an empty query. Twilio signs what it was given.
            yield Mutation("an empty query, which the SDK forgets", request.to(request.target + "?"), STRICTER)
        yield from self.signed_otherwise(request, form)
        for content_type in ("application/json", "text/plain", "multipart/form-data; boundary=a", None):
            yield Mutation("another content type", request.with_header("Content-Type", content_type))
        yield same("the content type without its charset", request.with_header("Content-Type", FORM))
        token = request.with_header("I-Twilio-Idempotency-Token", str(uuid.uuid4()))
        yield same("another idempotency token, which is not signed", token)

    def signed_otherwise(self, request, form):
        """With other keys, in other ways, for other addresses."""
        url = request.url()
        keys = [self.token[:-1], self.token[::-1], self.token + "0", "", self.account, "0" * 32]
        for key in keys + [key for key in ALL_TOKENS if key != self.token]:
            signature = RequestValidator(key).compute_signature(url, form)
            yield Mutation("signed with another token", request.with_header(self.HEADER, signature))
        sha256 = self.validator.compute_signature(url, form, "HMAC_SHA256")
        yield Mutation("signed by another algorithm", request.with_header(self.HEADER, sha256))
        shared = request.with_header(self.HEADER, sha256).with_header(self.SETTINGS, "key=SK1,algorithm=HMAC_SHA256")
        yield Mutation("signed by another algorithm, and saying so", shared)
        for settings in ("key=SK1,algorithm=HMAC_SHA256", "algorithm=none", "algorithm=HMAC_MD5"):
            yield Mutation("said to be signed by another algorithm", request.with_header(self.SETTINGS, settings))
        for settings in ("key=SK1,algorithm=HMAC_SHA1", "algorithm=hmac_sha1", "key=SK1", "algorithm=", ""):
            yield same("said to be signed as it is", request.with_header(self.SETTINGS, settings))
        hexadecimal = base64.b64decode(request.header(self.HEADER)).hex()
        yield Mutation("the signature in hexadecimal", request.with_header(self.HEADER, hexadecimal))
        yield Mutation("signed without its fields", self.signed(request, url, {}))
        yield Mutation("signed with its body as a text", self.signed(request, url + request.body.decode(), {}))
        for kind, address in ELSEWHERE:
            changed = self.signed(request, address(request.target), form)
            yield Mutation(f"signed for {kind}", changed)
            forged = changed.with_header("Host", "evil.example").with_header("X-Forwarded-Host", "evil.example")
            yield Mutation(f"signed for {kind}, and saying so", forged)
        with_port = self.signed(request, url.replace(HOST, f"{HOST}:443", 1), form)
        yield same("signed with the port that its scheme has anyway", with_port)

    def signed(self, request, url, form):
        """Signed by the same key for something else."""
        return request.with_header(self.HEADER, self.validator.compute_signature(url, form))

    def socket_mutations(self, request):
        """Everything that can be done to the opening of a media socket."""
        yield from of_signature(request, self.HEADER)
        yield from socket_paths(self, request)
        url = request.url().replace("https", "wss", 1)
        for key in ["", self.account] + [key for key in ALL_TOKENS if key != self.token]:
            signature = RequestValidator(key).compute_signature(url, {})
            yield Mutation("signed with another token", request.with_header(self.HEADER, signature))
        for kind, address in ELSEWHERE:
            if kind not in ("a socket's scheme", "a slash more"):
                yield Mutation(f"signed for {kind}", self.signed(request, address(request.target), {}))

    def from_caller(self, call, caller, status="ringing", **more):
        """The fields about a call that someone made to us."""
        parties = {"From": caller, "Caller": caller, "To": self.number, "Called": self.number}
        ours = {"Direction": "inbound", "StirVerstat": "TN-Validation-Passed-A", "CallerName": "Zoë O'Brien & Söhne"}
        return self.fields(call, status) | parties | ours | more

    def to_callee(self, call, status, **more):
        """The fields about a call that we made."""
        parties = {"From": self.number, "Caller": self.number, "To": CALLEE, "Called": CALLEE}
        return self.fields(call, status) | parties | {"Direction": "outbound-api"} | more

    def fields(self, call, status):
        """What every webhook has."""
        places = [f"{who}{what}" for who in ("Called", "Caller", "From", "To") for what in ("City", "State", "Zip")]
        countries = {f"{who}Country": "US" for who in ("Called", "Caller", "From", "To")}
        ids = {"AccountSid": self.account, "ApiVersion": "2010-04-01", "CallSid": call, "CallStatus": status}
        return ids | dict.fromkeys(places, "") | {"FromCity": "SAN JOSÉ"} | countries

    def progress(self, number, **more):
        """What a report has beyond that."""
        when = formatdate(usegmt=True).replace("GMT", "+0000")
        return {"Timestamp": when, "CallbackSource": "call-progress-events", "SequenceNumber": str(number)} | more


class Plivo(Carrier):
    """Signs the address, the fields and a number used once, with the account's token."""

    HEADER = "X-Plivo-Signature-V3"
    MAIN = "X-Plivo-Signature-Ma-V3"
    NONCE = "X-Plivo-Signature-V3-Nonce"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.account, self.token = self.table["auth_id"], self.table["auth_token"]

    def webhook(self, target, fields):
        """A genuine one."""
        pairs = list(fields.items())
        nonce = str(uuid.uuid4().int)[:20]
        headers = (
            ("Content-Type", FORM),
            ("User-Agent", "PlivoVoice"),
            ("Accept", "*/*"),
            (self.HEADER, self.signature(PUBLIC + target, pairs, nonce)),
            (self.NONCE, nonce),
        )
        return Request("POST", target, headers, urlencode(pairs).encode())

    def signature(self, url, pairs, nonce, token=None, method="POST"):
        """What the SDK computes."""
        if method == "GET":
            text = signature_v3.construct_get_url(url, {}).decode()
        else:
            text = signature_v3.construct_post_url(url, lists(pairs)).decode()
        return signature_v3.get_signature_v3(self.token if token is None else token, text, nonce).decode()

    def socket(self, url):
        """The opening of a media socket: signed as a GET of its address, which Plivo's own library for sockets writes
        with http. (No page says what Plivo writes. The SDK takes no wss, the gateway any of the four.)"""
        nonce = str(uuid.uuid4().int)[:20]
        signature = self.signature(url.replace("wss", "http", 1), [], nonce, method="GET")
        return opening(url, ((self.HEADER, signature), (self.NONCE, nonce)))

    def accepts(self, request):
        """Whether the SDK takes it for genuine."""
        signature, nonce = request.header(self.HEADER) or request.header(self.MAIN), request.header(self.NONCE)
        if signature is None or nonce is None:
            return False
        if request.header("Upgrade"):
            schemes = [request.url().replace("https", scheme, 1) for scheme in ("https", "http")]
            return any(self.validated("GET", url, nonce, signature, {}) for url in schemes)
        return self.validated(request.method, request.url(), nonce, signature, lists(pairs_of(request.body)))

    def validated(self, method, url, nonce, signature, parameters):
        """What the SDK says; what it will not even look at is not genuine."""
        try:
            return validate_v3_signature(method, url, nonce, self.token, signature, parameters) is True
        except Exception as fault:
            if type(fault).__name__ != "ValidationError":
                raise
            return False

    def text(self, pairs):
        """The fields as they are signed."""
        return "".join(name + value for name, value in sorted(pairs))

    def mutations(self, request):
        """Everything that can be done to a webhook of this carrier."""
        yield from of_form(request, self.text)
        yield from of_signature(request, self.HEADER)
        yield from of_method(request, REFUSED)
        yield from of_way(request, PUBLIC)
        yield from self.elsewhere(request, REFUSED, REFUSED)
        yield from self.queries(request, address_text)
        yield from self.nonces(request)
        yield from self.signed_otherwise(request)
        for content_type in ("application/json", "text/plain", None):
            # The fields are read as they were signed, whatever they are called.
            yield same("another content type, which is not signed", request.with_header("Content-Type", content_type))

    def nonces(self, request):
        """The mutations of the number used once."""
        nonce = request.header(self.NONCE)
        for at, digit in enumerate(nonce):
            changed = nonce[:at] + str((int(digit) + 1) % 10) + nonce[at + 1 :]
            yield Mutation("a digit of the nonce changed", request.with_header(self.NONCE, changed))
        for changed in (None, "", nonce + "0", nonce[1:], "0" + nonce, str(uuid.uuid4().int)[:20]):
            yield Mutation("another nonce", request.with_header(self.NONCE, changed))

    def signed_otherwise(self, request):
        """With other keys, in other ways, for other addresses."""
        url, nonce, genuine = request.url(), request.header(self.NONCE), request.header(self.HEADER)
        pairs = pairs_of(request.body)

        def signed(url=url, pairs=pairs, **how):
            return request.with_header(self.HEADER, self.signature(url, pairs, nonce, **how))

        keys = [self.token[:-1], self.token[::-1], self.token + "0", "", self.account]
        for key in keys + [key for key in ALL_TOKENS if key != self.token]:
            yield Mutation("signed with another token", signed(token=key))
        yield Mutation("signed as a GET", signed(method="GET"))
        yield Mutation("signed without its fields", signed(pairs=[]))
        text = signature_v3.construct_post_url(url, lists(pairs)).decode() + "." + nonce
        sha1 = base64.b64encode(hmac.new(self.token.encode(), text.encode(), hashlib.sha1).digest()).decode()
        yield Mutation("signed by another algorithm", request.with_header(self.HEADER, sha1))
        yield from self.older(request, nonce)
        for kind, address in ELSEWHERE:
            changed = signed(url=address(request.target))
            yield Mutation(f"signed for {kind}", changed)
            forged = changed.with_header("Host", "evil.example").with_header("X-Forwarded-Host", "evil.example")
            yield Mutation(f"signed for {kind}, and saying so", forged)
        yield Mutation("signed for the port that its scheme has anyway", signed(url.replace(HOST, f"{HOST}:443", 1)))
        main = request.with_header(self.HEADER, None).with_header(self.MAIN, genuine)
        yield same("signed by the account above", main)
        other = signed(token="another").header(self.HEADER)
        yield same("several signatures, one of them genuine", request.with_header(self.HEADER, f"{other},{genuine}"))
        yield same("several signatures, one of them genuine", request.with_header(self.HEADER, f"{genuine},{other}"))
        yield Mutation("several signatures, none of them genuine", request.with_header(self.HEADER, f"{other},{other}"))
        yield Mutation("signatures joined by something else", request.with_header(self.HEADER, f"{other};{genuine}"))

    def older(self, request, nonce):
        """The older signature, which leaves the fields out: not enough."""
        bare = request.url().split("?")[0]
        mac = hmac.new(self.token.encode(), (bare + nonce).encode(), hashlib.sha256)
        older = base64.b64encode(mac.digest()).decode()
        if not validate_signature(bare, nonce, older, self.token):
            raise SystemExit("error: the SDK does not take the older signature as it is made here")
        unsigned = request.with_header(self.HEADER, None)
        with_older = unsigned.with_header("X-Plivo-Signature-V2", older).with_header("X-Plivo-Signature-V2-Nonce", nonce)
        yield Mutation("only the older signature", with_older)
        yield Mutation("the older signature as the newer", request.with_header(self.HEADER, older))
        yield Mutation("the signature as the older", unsigned.with_header("X-Plivo-Signature-V2", request.header(self.HEADER)))

    def socket_mutations(self, request):
        """Everything that can be done to the opening of a media socket."""
        yield from of_signature(request, self.HEADER)
        yield from self.nonces(request)
        yield from socket_paths(self, request)
        url, nonce = request.url(), request.header(self.NONCE)

        def signed(url, method="GET", token=None):
            signature = self.signature(url, [("a", "1")], nonce, method=method, token=token)
            return request.with_header(self.HEADER, signature)

        for key in ["", self.account] + [key for key in ALL_TOKENS if key != self.token]:
            yield Mutation("signed with another token", signed(url, token=key))
        yield Mutation("signed as a POST", signed(url, method="POST"))
        for kind, address in ELSEWHERE:
            if "scheme" not in kind:
                yield Mutation(f"signed for {kind}", signed(address(request.target)))

    def from_caller(self, call, caller, event="StartApp", status="ringing", **more):
        """The fields about a call that someone made to us."""
        ours = {"STIRVerification": "Not Applicable", "CallerName": "Zoë O'Brien & Söhne"}
        return self.fields(call, event, status, "inbound", caller, self.number) | ours | more

    def to_callee(self, call, request, event, status, **more):
        """The fields about a call that we made."""
        ids = {"ALegRequestUUID": request, "ALegUUID": call, "RequestUUID": request}
        return self.fields(call, event, status, "outbound", self.number, CALLEE) | ids | more

    def fields(self, call, event, status, direction, caller, callee):
        """What every webhook has."""
        numbers = {"From": caller.lstrip("+"), "To": callee.lstrip("+")}
        billing = {"BillRate": "0.0085", "ParentAuthID": self.account, "SessionStart": now_text()}
        return {"CallStatus": status, "CallUUID": call, "Direction": direction, "Event": event} | numbers | billing

    def end(self, code, cause, name, source, seconds):
        """What the last webhook has beyond that."""
        times = dict.fromkeys(("AnswerTime", "EndTime", "StartTime"), now_text()[:19])
        hangup = {"HangupCause": cause, "HangupCauseCode": str(code), "HangupCauseName": name, "HangupSource": source}
        return times | hangup | {"BillDuration": "60", "Duration": str(seconds), "TotalCost": "0.0085"}


class Telnyx(Carrier):
    """Signs the time and the body, with a key of which the account only knows the public half."""

    HEADER = "telnyx-signature-ed25519"
    TIME = "telnyx-timestamp"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.account, self.key = self.table["connection_id"], signing_key(self.name)
        self.client = TelnyxClient(api_key=self.table["api_key"], public_key=public_key(self.name))

    def webhook(self, target, event, payload, age=0):
        """A genuine one."""
        data = {
            "record_type": "event",
            "event_type": event,
            "id": str(uuid.uuid4()),
            "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
            "payload": payload,
        }
        document = {"data": data, "meta": {"attempt": 1, "delivered_to": PUBLIC + target}}
        body = json.dumps(document, separators=(",", ":")).encode()
        headers = (("Content-Type", "application/json"), ("User-Agent", "telnyx-webhooks"))
        return self.signed(Request("POST", target, headers, body), int(time.time()) - age)

    def signed(self, request, stamp, key=None, text=None):
        """The same, signed at that time."""
        text = f"{stamp}|".encode() + request.body if text is None else text
        signature = base64.b64encode((key or self.key).sign(text).signature).decode()
        return request.with_header(self.HEADER, signature).with_header(self.TIME, str(stamp))

    def accepts(self, request):
        """Whether the SDK takes it for genuine."""
        try:
            self.client.webhooks.unwrap(request.body.decode(), headers=dict(request.headers))
        except ValueError:
            return False
        return True

    def read(self, request):
        """The event, as the SDK reads it."""
        return self.client.webhooks.unwrap(request.body.decode(), headers=dict(request.headers))

    def mutations(self, request):
        """Everything that can be done to a webhook of this carrier."""
        yield from of_json(request)
        yield from of_signature(request, self.HEADER)
        # Neither the method nor the address is signed, and the SDK sees neither.
        yield from of_method(request, STRICTER)
        yield from of_way(request, PUBLIC)
        yield from self.elsewhere(request, SAME, STRICTER)
        yield from self.queries(request, None)
        yield from self.times(request)
        yield from self.signed_otherwise(request)
        for content_type in ("text/plain", FORM, None):
            yield same("another content type, which is not signed", request.with_header("Content-Type", content_type))

    def times(self, request):
        """The mutations of the time it was signed at."""
        stamp = int(request.header(self.TIME))
        for changed in (stamp + 1, stamp - 1, stamp + 60, stamp - 310, stamp + 310, 0, f"0{stamp}", f"{stamp}.0", f"+{stamp}"):
            yield Mutation("another time", request.with_header(self.TIME, str(changed)))
        for changed in (None, "", "now", "-1", f"{stamp}|", str(stamp)[:-1], f"{stamp}0", "9" * 30):
            yield Mutation("a time that is none", request.with_header(self.TIME, changed))
        for age in (310, 3_600, 86_400, -310, -3_600):
            old = self.signed(request, int(time.time()) - age)
            yield Mutation("signed too long ago, or ahead of time", old)
        for age in (280, -280):
            yield same("signed within five minutes", self.signed(request, int(time.time()) - age))
        yield Mutation("signed in milliseconds", self.signed(request, stamp * 1_000))
        moved = request.saying(f"{stamp}|".encode() + request.body)
        yield Mutation("the time moved into the body", moved.with_header(self.TIME, ""))

    def signed_otherwise(self, request):
        """With other keys, and in other ways."""
        stamp = int(request.header(self.TIME))
        for name in ("telnyx", "telnyx-two", "somebody"):
            if name != self.name:
                yield Mutation("signed with another key", self.signed(request, stamp, signing_key(name)))
        for text in (request.body, str(stamp).encode(), f"{stamp}.".encode() + request.body, b""):
            yield Mutation("signed in another way", self.signed(request, stamp, text=text))
        compact = json.dumps(json.loads(request.body)).encode()
        text = f"{stamp}|".encode() + compact
        yield Mutation("signed for the same in another spelling", self.signed(request, stamp, text=text))
        raw = base64.b64decode(request.header(self.HEADER))
        as_number = int.from_bytes(raw[32:], "little") + ORDER
        twin = base64.b64encode(raw[:32] + as_number.to_bytes(32, "little")).decode()
        yield Mutation("the signature's other form", request.with_header(self.HEADER, twin))
        yield Mutation("the signature in hexadecimal", request.with_header(self.HEADER, raw.hex()))
        for header in ("X-Twilio-Signature", "X-Plivo-Signature-V3"):
            moved = request.with_header(self.HEADER, None).with_header(header, request.header(self.HEADER))
            yield Mutation("the signature in another carrier's header", moved)
        # The last letter stands for two bits. Python's decoder does not look at the four behind them.
        genuine = request.header(self.HEADER)
        loose = genuine[:85] + chr(ord(genuine[85]) + 1) + "=="
        yield Mutation("bits behind the signature's end, at which Python does not look", request.with_header(self.HEADER, loose), STRICTER)

    def payload(self, call, caller=None, **more):
        """What every event says of a call."""
        parties = {"from": caller or self.number, "to": self.number if caller else CALLEE}
        ids = {"call_control_id": call, "call_leg_id": str(uuid.uuid4()), "call_session_id": str(uuid.uuid4())}
        return ids | {"connection_id": self.account, "client_state": None} | parties | more


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


def lists(pairs):
    """Fields as Plivo's SDK takes them: a list where there are several."""
    fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def address_text(url):
    """An address as Plivo signs it."""
    bare, _, query = url.partition("?")
    fields = parse_qs(query, keep_blank_values=True)
    return bare, sorted((name, sorted(values)) for name, values in fields.items())


def signing_key(name):
    """The private key of an account: nobody else has it, and each run the same."""
    return SigningKey(hashlib.sha256(name.encode()).digest())


def public_key(name):
    """As the portal would show it."""
    return base64.b64encode(bytes(signing_key(name).verify_key)).decode()


def now_text():
    """Now, as Plivo writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())


# Everybody's, to sign with for somebody else. Filled in when the configuration is read.
ALL_TOKENS = []
# Of the group that Ed25519 counts in: a signature's second half, and that plus this, once were both taken.
ORDER = 2**252 + 27742317777372353535851937790883648493
