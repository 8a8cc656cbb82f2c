"""Plivo's webhooks, signed by its SDK."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from urllib.parse import parse_qs, urlencode
from xml.etree import ElementTree

from plivo.utils import signature_v3, validate_signature, validate_v3_signature

from carrier import ALL_TOKENS, CALLEE, ELSEWHERE, FORM, Carrier, opening, socket_paths
from mutations import REFUSED, Mutation, of_form, of_method, of_signature, of_way, pairs_of, same
from wire import HOST, PUBLIC, Request, requested


class Account(Carrier):
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
        yield from of_way(request)
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


def story(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name
    call, caller = str(uuid.uuid4()), trial.caller
    page = trial.webhook("a call comes in", carrier.webhook(f"/{name}/voice", carrier.from_caller(call, caller)), begins=1)
    ours = trial.inbound(caller)
    trial.socket("its media socket", xml(page).find("Stream").text)
    back = requested(xml(page).find("Redirect").text)
    up = carrier.from_caller(call, caller, "Redirect", "in-progress")
    page = trial.webhook("its stream is gone", carrier.webhook(back, up))
    trial.check(xml(page).find("Stream") is not None, f"no other stream: {page}")
    dialled = {"DialStatus": "busy", "DialALegUUID": call, "DialBLegUUID": str(uuid.uuid4()), "DialRingStatus": "true"}
    page = trial.webhook("who it was put through to is busy", carrier.webhook(back, up | dialled))
    trial.check(xml(page).find("Stream") is not None, f"it does not come back: {page}")
    joined = carrier.from_caller(call, caller, "DialAnswer", "in-progress") | dialled | {"DialAction": "answer"}
    trial.webhook("they talk", carrier.webhook(f"/{name}/status", joined))
    end = carrier.end(4000, "NORMAL_CLEARING", "Normal Hangup", "Caller", 7)
    fields = carrier.from_caller(call, caller, "Hangup", "completed") | end
    trial.webhook("it is over", carrier.webhook(f"/{name}/status", fields))
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    ours, asked = trial.dial(on_machine="hang_up")
    body, request = json.loads(asked[3]), json.loads(asked[4])["request_uuid"]
    voice, status = (requested(body[it]) for it in ("answer_url", "hangup_url"))
    call = str(uuid.uuid4())
    fields = carrier.to_callee(call, request, "Ring", "ringing")
    trial.webhook("a call of ours: it rings", carrier.webhook(status, fields))
    trial.told(ours, "call.ringing")
    fields = carrier.to_callee(call, request, "StartApp", "in-progress")
    page = trial.webhook("it is answered", carrier.webhook(voice, fields))
    trial.socket("its media socket", xml(page).find("Stream").text)
    trial.told(ours, "call.answered")
    stream = {"StreamID": str(uuid.uuid4()), "ServiceURL": xml(page).find("Stream").text, "Timestamp": str(int(time.time()))}
    fields = carrier.to_callee(call, request, "StartStream", "in-progress") | stream
    trial.webhook("its stream has begun", carrier.webhook(status, fields))
    verdict = {"Machine": "true", "IfMachine": "continue"}
    fields = carrier.to_callee(call, request, "MachineDetection", "in-progress") | verdict
    trial.webhook("a machine picked up", carrier.webhook(status, fields))
    end = carrier.end(4000, "NORMAL_CLEARING", "Normal Hangup", "Callee", 9)
    fields = carrier.to_callee(call, request, "Hangup", "completed") | end
    trial.webhook("it is over", carrier.webhook(status, fields))
    trial.ended(ours, "caller", "hung_up")
    tape = {"recording_id": str(uuid.uuid4()), "record_url": "https://media.plivo.com/a.wav", "recording_duration": "9"}
    trial.webhook("it was recorded", carrier.webhook(status, {"call_uuid": call} | tape))

    for state, code, cause, why in (("busy", 3010, "USER_BUSY", "busy"), ("no-answer", 3000, "NO_ANSWER", "no_answer")):
        ours, asked = trial.dial()
        body, request = json.loads(asked[3]), json.loads(asked[4])["request_uuid"]
        end = carrier.end(code, cause, state, "Callee", 0)
        fields = carrier.to_callee(str(uuid.uuid4()), request, "Hangup", state) | end
        trial.webhook(f"nobody talks: {state}", carrier.webhook(requested(body["hangup_url"]), fields))
        trial.ended(ours, "caller", why)


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


def now_text():
    """Now, as Plivo writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())


def answer(method, place):
    """What the API says: yes."""
    ids = {"api_id": str(uuid.uuid4())}
    if place.endswith("/Call/"):
        return 201, json.dumps(ids | {"message": "call fired", "request_uuid": str(uuid.uuid4())})
    if method == "DELETE":
        return 204, ""
    if method == "GET":
        return 200, json.dumps(ids | {"call_status": "in-progress"})
    return 202, json.dumps(ids | {"message": "call transferred"})


def xml(page):
    """Plivo's XML, read."""
    return ElementTree.fromstring(page.encode())


# What the paths of the API begin with.
ROOT = "/v1/Account/"
