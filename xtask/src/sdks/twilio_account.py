"""Twilio's webhooks, signed by its SDK."""

import base64
import json
import logging
import uuid
from email.utils import formatdate
from urllib.parse import urlencode
from xml.etree import ElementTree

from twilio.request_validator import HMAC_SHA1, RequestValidator, get_signature_algorithm

from carrier import ALL_TOKENS, CALLEE, ELSEWHERE, FORM, Carrier, opening, socket_paths
from mutations import REFUSED, SAME, STRICTER, Mutation, of_form, of_method, of_signature, of_way, pairs_of, same
from wire import HOST, PUBLIC, Request, requested

# Telling it that an algorithm is unknown is what some mutations are for.
logging.getLogger("twilio.request_validator").setLevel(logging.ERROR)


class Account(Carrier):
    """Signs the address and the fields, with the account's token."""

    HEADER = "X-Twilio-Signature"
    SETTINGS = "X-Twilio-Webhooks-Signature-Settings"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.account, self.token = self.table["account_sid"], self.table["auth_token"]
        self.validator = RequestValidator(self.token)
        # While a token is being replaced, the other one.
        self.second = self.table.get("secondary_auth_token")

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
            return self.validated(url.replace("https", "wss", 1), {}, signature)
        is_form = (request.header("Content-Type") or "").split(";")[0].strip().lower() == FORM
        if request.method != "POST":
            parameters = {}
        elif is_form:
            parameters = Parameters(pairs_of(request.body))
        else:
            parameters = request.body.decode(errors="replace")
        return self.validated(url, parameters, signature)

    def validated(self, url, parameters, signature):
        """What the SDK says, with each of the account's tokens."""
        tokens = [self.token] + [self.second] * (self.second is not None)
        try:
            return any(RequestValidator(token).validate(url, parameters, signature) for token in tokens)
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
        yield from of_way(request)
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
        yield from self.json(request, dict(form.pairs))

    def json(self, request, fields):
        """As JSON, of which the address has the hash: genuine if it is signed, and still nothing that calls are about."""
        body = json.dumps(fields)
        glue = "&" if "?" in request.target else "?"
        target = f"{request.target}{glue}bodySHA256={self.validator.compute_hash(body)}"
        unsigned = request.to(target).saying(body.encode()).with_header("Content-Type", "application/json")
        genuine = self.signed(unsigned, unsigned.url(), {})
        yield Mutation("JSON, signed as such", genuine, SAME, (400,))
        for changed in (body[:-1], body + " ", body.replace("CA", "Ca", 1), ""):
            yield Mutation("JSON, signed as such and changed", genuine.saying(changed.encode()))
        other_hash = self.validator.compute_hash(body + " ")
        swapped = genuine.to(f"{request.target}{glue}bodySHA256={other_hash}").saying(f"{body} ".encode())
        yield Mutation("JSON, signed as such and changed", swapped)
        yield Mutation("JSON, signed without its hash", self.signed(unsigned.to(request.target), request.url(), {}))

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
        if self.second:
            second = RequestValidator(self.second).compute_signature(url, form)
            yield same("signed with the account's other token", request.with_header(self.HEADER, second))
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


def story(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name
    call, caller = "CA" + uuid.uuid4().hex, trial.caller
    page = trial.webhook("a call comes in", carrier.webhook(f"/{name}/voice", carrier.from_caller(call, caller)), begins=1)
    ours = trial.inbound(caller)
    trial.socket("its media socket", xml(page).find("Connect/Stream").get("url"))
    back = requested(xml(page).find("Redirect").text)
    up = carrier.from_caller(call, caller, "in-progress")
    page = trial.webhook("its stream is gone", carrier.webhook(back, up))
    trial.check(xml(page).find("Connect/Stream") is not None, f"no other stream: {page}")
    other = "CA" + uuid.uuid4().hex
    dialled = {"DialCallSid": other, "DialCallStatus": "busy", "DialBridged": "false"}
    page = trial.webhook("who it was put through to is busy", carrier.webhook(back, up | dialled))
    trial.check(xml(page).find("Connect/Stream") is not None, f"it does not come back: {page}")
    child = carrier.to_callee(other, "in-progress") | carrier.progress(2, ParentCallSid=call)
    trial.webhook("they talk", carrier.webhook(f"/{name}/status", child))
    last = carrier.progress(0, CallDuration="7", Duration="1", SipResponseCode="200")
    fields = carrier.from_caller(call, caller, "completed") | last
    trial.webhook("it is over", carrier.webhook(f"/{name}/status", fields))
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    ours, asked = trial.dial(on_machine="hang_up")
    form = dict(pairs_of(asked[3].encode()))
    voice, status = (requested(form[it]) for it in ("Url", "StatusCallback"))
    call = json.loads(asked[4])["sid"]
    for number, state in enumerate(("initiated", "ringing")):
        fields = carrier.to_callee(call, state) | carrier.progress(number)
        trial.webhook(f"a call of ours: {state}", carrier.webhook(status, fields))
    trial.told(ours, "call.ringing")
    page = trial.webhook("it is answered", carrier.webhook(voice, carrier.to_callee(call, "in-progress")))
    trial.socket("its media socket", xml(page).find("Connect/Stream").get("url"))
    fields = carrier.to_callee(call, "in-progress") | carrier.progress(2)
    trial.webhook("that it was answered is reported", carrier.webhook(status, fields))
    trial.told(ours, "call.answered")
    verdict = {"AccountSid": carrier.account, "CallSid": call, "AnsweredBy": "machine_start", "MachineDetectionDuration": "2300"}
    trial.webhook("a machine picked up", carrier.webhook(status, verdict))
    last = carrier.progress(3, CallDuration="9", Duration="1", SipResponseCode="200")
    fields = carrier.to_callee(call, "completed") | last
    trial.webhook("it is over", carrier.webhook(status, fields))
    trial.ended(ours, "caller", "hung_up")
    tape = "RE" + uuid.uuid4().hex
    fields = {
        "AccountSid": carrier.account,
        "CallSid": call,
        "RecordingSid": tape,
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{carrier.account}/Recordings/{tape}",
        "RecordingStatus": "completed",
        "RecordingDuration": "9",
        "RecordingChannels": "2",
        "RecordingSource": "StartCallRecordingAPI",
    }
    trial.webhook("it was recorded", carrier.webhook(status, fields))

    for state, code, why in (("busy", "486", "busy"), ("no-answer", "480", "no_answer")):
        ours, asked = trial.dial()
        status = requested(dict(pairs_of(asked[3].encode()))["StatusCallback"])
        fields = carrier.to_callee(json.loads(asked[4])["sid"], state) | carrier.progress(2, SipResponseCode=code)
        trial.webhook(f"nobody talks: {state}", carrier.webhook(status, fields))
        trial.ended(ours, "caller", why)


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


def answer(method, place):
    """What the API says: yes."""
    if place.endswith("/Calls.json"):
        return 201, json.dumps({"sid": "CA" + uuid.uuid4().hex, "status": "queued", "direction": "outbound-api"})
    sid = place.rsplit("/", 1)[-1].removesuffix(".json")
    return 200, json.dumps({"sid": sid, "status": "in-progress", "direction": "inbound"})


def xml(page):
    """TwiML, read."""
    return ElementTree.fromstring(page.encode())


# What the paths of the API begin with.
ROOT = "/2010-04-01/"
