"""Telnyx's webhooks, signed as its SDK verifies them."""

import base64
import hashlib
import json
import time
import uuid

from nacl.signing import SigningKey
from telnyx import Telnyx as Client

from carrier import CALLEE, FORM, Carrier
from mutations import SAME, STRICTER, Mutation, of_json, of_method, of_signature, of_way, same
from wire import PUBLIC, Request, requested


class Account(Carrier):
    """Signs the time and the body, with a key of which the account only knows the public half."""

    HEADER = "telnyx-signature-ed25519"
    TIME = "telnyx-timestamp"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.account, self.key = self.table["connection_id"], signing_key(self.name)
        if self.table["public_key"] != public_key(self.name):
            raise SystemExit(f"error: the public key of {self.name} is to be {public_key(self.name)}")
        self.client = Client(api_key=self.table["api_key"], public_key=self.table["public_key"])

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
        yield from of_way(request)
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
        for age in (310, 3_600, 86_400, -400, -3_600):
            old = self.signed(request, int(time.time()) - age)
            yield Mutation("signed too long ago, or ahead of time", old)
        for age in (240, -290):
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
        return self.ids(call) | parties | more

    def ids(self, call, **more):
        """What every event says of a call, but for who is on it: those of its sound leave that out."""
        ids = {"call_control_id": call, "call_leg_id": str(uuid.uuid4()), "call_session_id": str(uuid.uuid4())}
        return ids | {"connection_id": self.account, "client_state": None} | more


def story(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name

    def event(what, event_type, payload, target, begins=0):
        def make():
            return carrier.webhook(target, event_type, payload)

        request = make()
        read = carrier.read(request).data
        trial.check(read.event_type == event_type, f"the SDK reads {event_type} as {read}")
        unknown = sorted(read.payload.model_extra)
        trial.check(not unknown, f"the SDK knows no {unknown} of {event_type}")
        trial.webhook(what, request, make, begins)

    call, caller, door = call_control_id(), trial.caller, f"/{name}/voice"
    since = len(trial.far_end.requests)
    payload = carrier.payload(call, caller, direction="incoming", state="parked", start_time="2026-01-01T00:00:00.000000Z")
    payload |= {"caller_id_name": "Zoë O'Brien", "tags": [], "custom_headers": [{"name": "X-Shop", "value": "12"}]}
    event("a call comes in", "call.initiated", payload, door, begins=1)
    ours = trial.inbound(caller)
    answered = trial.far_end.wait(lambda it: it[1].endswith("/actions/answer"), "answer the call", since)
    trial.check(answered[1] == f"/v2/calls/{call}/actions/answer", f"another call was answered: {answered}")
    trial.check(answered[2] == f"Bearer {carrier.table['api_key']}", "it was answered with another account's key")
    said = json.loads(answered[3])
    known = {"client_state": said["client_state"]}
    event("it was answered", "call.answered", carrier.payload(call, caller, **known), door)
    stream = {"stream_url": said["stream_url"]}
    event("its stream has begun", "streaming.started", carrier.ids(call, **known, **stream), door)
    event("a key", "call.dtmf.received", carrier.payload(call, caller, **known, digit="5"), door)
    event("its stream has stopped", "streaming.stopped", carrier.ids(call, **known, **stream), door)
    played = {"media_url": "https://a.example/hold.mp3", "status": "completed"}
    event("something was played", "call.playback.ended", carrier.ids(call, **known, **played), door)
    event("it was put through", "call.bridged", carrier.payload(call, caller, **known), door)
    end = {"hangup_cause": "normal_clearing", "hangup_source": "caller", "sip_hangup_cause": "200"}
    event("it is over", "call.hangup", carrier.payload(call, caller, **known, **end), door)
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    since = len(trial.far_end.requests)
    ours, asked = trial.dial(on_machine="hang_up")
    body, call = json.loads(asked[3]), json.loads(asked[4])["data"]["call_control_id"]
    door, known = requested(body["webhook_url"]), {"client_state": body["client_state"]}
    begun = carrier.payload(call, **known, direction="outgoing", state="bridging")
    event("a call of ours: initiated", "call.initiated", begun, door)
    trial.told(ours, "call.ringing")
    event("it is answered", "call.answered", carrier.payload(call, **known), door)
    trial.told(ours, "call.answered")
    trial.far_end.wait(lambda it: it[1] == f"/v2/calls/{call}/actions/streaming_start", "start its stream", since)
    failed = {"failure_reason": "connection_failed", "stream_id": str(uuid.uuid4())}
    event("its stream has failed", "streaming.failed", carrier.ids(call, **known, **failed), door)
    verdict = carrier.payload(call, **known, result="machine")
    event("a machine picked up", "call.machine.detection.ended", verdict, door)
    verdict = carrier.payload(call, **known, result="beep_detected")
    event("its greeting is over", "call.machine.greeting.ended", verdict, door)
    end |= {"hangup_source": "callee"}
    event("it is over", "call.hangup", carrier.payload(call, **known, **end), door)
    trial.ended(ours, "caller", "hung_up")
    # By the description, no more than our own words name the call, and an address the recording.
    saved = {"channels": "dual", "recording_urls": {"wav": "https://s3.example.com/a.wav"}}
    state = base64.b64encode(f"dialled/{call}".encode()).decode()
    saved = carrier.ids(call, **saved) | {"client_state": state}
    del saved["call_control_id"]
    event("it was recorded", "call.recording.saved", saved, door)

    for cause, code, why in (("user_busy", "486", "busy"), ("timeout", "480", "no_answer")):
        ours, asked = trial.dial()
        body, call = json.loads(asked[3]), json.loads(asked[4])["data"]["call_control_id"]
        end = {"hangup_cause": cause, "hangup_source": "callee", "sip_hangup_cause": code}
        payload = carrier.payload(call, client_state=body["client_state"], **end)
        event(f"nobody talks: {cause}", "call.hangup", payload, requested(body["webhook_url"]))
        trial.ended(ours, "caller", why)


def signing_key(name):
    """The private key of an account: nobody else has it, and each run the same."""
    return SigningKey(hashlib.sha256(name.encode()).digest())


def public_key(name):
    """As the portal would show it."""
    return base64.b64encode(bytes(signing_key(name).verify_key)).decode()


def answer(method, place):
    """What the API says: yes."""
    if place == "/v2/calls":
        return 200, json.dumps({"data": {"call_control_id": call_control_id(), "is_alive": False, "record_type": "call"}})
    if "/actions/" in place:
        return 200, json.dumps({"data": {"result": "ok"}})
    return 200, json.dumps({"data": {"is_alive": True, "record_type": "call"}})


def call_control_id():
    """The handle of a call."""
    return "v3:" + base64.urlsafe_b64encode(uuid.uuid4().bytes * 3).decode().rstrip("=")


# What the paths of the API begin with.
ROOT = "/v2/"
# Of the group that Ed25519 counts in: a signature's second half, and that plus this, once were both taken.
ORDER = 2**252 + 27742317777372353535851937790883648493
