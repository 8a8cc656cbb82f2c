"""Webhooks that carriers' own SDKs sign, and every change to them, against a running gateway.

What is genuine has to be taken by the SDK and by the gateway. What was changed has to be refused by both, unless it
says the same as before, or what was changed is no part of what the carrier signs: then both have to take it.
"""

import argparse
import collections
import itertools
import json
import os
import re
import sys
import time
import tomllib
import uuid
from xml.etree import ElementTree

import carriers
from carriers import CALLEE, Plivo, Telnyx, Twilio
from mutations import REFUSED, SAME, STRICTER
from wire import PUBLIC, FarEnd, Gateway, call_control_id

KINDS = {"twilio": Twilio, "telnyx": Telnyx, "plivo": Plivo}
# So many of those of an account that went wrong are shown in full.
SHOWN = 10


class Tally:
    """What became of an account's webhooks."""

    def __init__(self):
        self.made = self.taken = 0
        self.fates = collections.Counter()
        self.kinds = {fate: collections.Counter() for fate in (REFUSED, SAME, STRICTER)}
        self.statuses = collections.Counter()
        self.wrong = []


class Trial:
    """One account's webhooks, each with its mutations."""

    def __init__(self, gateway, far_end, carrier):
        self.gateway, self.far_end, self.carrier = gateway, far_end, carrier
        self.tally = Tally()
        # Who calls our number, and no other.
        self.caller = "+1555765" + carrier.number[-4:]

    def fail(self, what):
        """Takes note of what should not be."""
        self.tally.wrong.append(f"{self.carrier.name}: {what}")

    def check(self, good, what):
        """Takes note of it unless it is so."""
        if not good:
            self.fail(what)

    def present(self, name, request, mutations, make=None, begins=0):
        """Tries the forged ones, then the genuine one, which begins so many calls, then those that are as good: what
        the gateway says to the genuine one."""
        mutations = list(mutations)
        before = self.trace()
        for mutation in mutations:
            if mutation.fate != SAME:
                self.mutate(name, mutation)
        self.check(self.trace() == before, f"{name}: forged ones left a trace: {before} became {self.trace()}")
        if make:
            # Some are good for a time only.
            request = make()
        answer = self.genuine(name, request)
        count = before[0] + begins
        self.wait(lambda: len(self.gateway.calls()) >= count, f"{name}: it began no call")
        for mutation in mutations:
            if mutation.fate == SAME:
                self.mutate(name, mutation)
        there = len(self.gateway.calls())
        self.check(there == count, f"{name}: there are {there} calls and not {count}")
        return answer

    def genuine(self, name, request):
        """What the gateway says to a genuine webhook."""
        self.tally.made += 1
        status, text = self.gateway.send(request)
        by_sdk = self.carrier.accepts(request)
        if by_sdk and status in (200, 101):
            self.tally.taken += 1
        else:
            self.fail(f"{name}: the SDK says {by_sdk}, the gateway {status}: {request}")
        return text

    def mutate(self, name, mutation):
        """Tries a changed webhook."""
        by_sdk = self.carrier.behind(mutation.request.target).accepts(mutation.request)
        status, _ = self.gateway.send(mutation.request)
        wanted = mutation.fate in (SAME, STRICTER)
        self.tally.fates[mutation.fate] += 1
        self.tally.kinds[mutation.fate][mutation.kind] += 1
        self.tally.statuses[status] += 1
        if by_sdk != wanted or status not in mutation.statuses:
            said = "genuine" if by_sdk else "forged"
            wrong = f"{name}: {mutation.kind}: the SDK calls it {said}, the gateway says {status}"
            self.fail(f"{wrong}, and it should be {mutation.fate} with {mutation.statuses}\n    {mutation.request}")

    def trace(self):
        """How many calls there are, and what they have come to."""
        calls = self.gateway.calls()
        return len(calls), sum(1 for it in calls if it["ended"]), len(self.far_end.requests)

    def wait(self, done, what):
        """Waits until that is so, and takes note if it never is."""
        for _ in range(200):
            if done():
                return
            time.sleep(0.05)
        self.fail(what)

    def webhook(self, name, request, make=None, begins=0):
        """A webhook, with its mutations."""
        return self.present(name, request, self.carrier.mutations(request), make, begins)

    def socket(self, name, url):
        """The opening of a media socket, with its mutations."""
        request = self.carrier.socket(url)
        return self.present(name, request, self.carrier.socket_mutations(request))

    def inbound(self, caller):
        """Our name for the call of that caller."""
        found = [it for it in self.gateway.calls() if it["caller"] == caller]
        self.check(len(found) == 1, f"{caller} has {len(found)} calls, not one")
        return found[0]["id"]

    def dial(self, **more):
        """Has the gateway call someone: our name for the call, and what the carrier was asked."""
        since = len(self.far_end.requests)
        order = {"to": CALLEE, "from": self.carrier.number} | more
        call = json.loads(self.gateway.control("POST", "/v1/calls", order))["id"]
        return call, self.far_end.wait(lambda it: call in it[3], "dial", since)

    def told(self, call, kind):
        """Waits until this has happened on a call."""
        self.wait(lambda: any(it["type"] == kind for it in self.gateway.events(call)), f"there is no {kind}")

    def ended(self, call, *how):
        """Waits until a call is over, and checks by whom and why it was ended."""

        def end():
            return next(it["ended"] for it in self.gateway.calls() if it["id"] == call)

        self.wait(end, "a call did not end")
        said = end() and (end()["by"], end()["why"])
        self.check(said == how, f"a call was to end by {how}, and ended by {said}")


def twilio(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name
    call, caller = "CA" + uuid.uuid4().hex, trial.caller
    page = trial.webhook("a call comes in", carrier.webhook(f"/{name}/voice", carrier.from_caller(call, caller)), begins=1)
    ours = trial.inbound(caller)
    trial.socket("its media socket", xml(page).find("Connect/Stream").get("url"))
    back = xml(page).find("Redirect").text.split("#")[0].removeprefix(PUBLIC)
    up = carrier.from_caller(call, caller, "in-progress")
    page = trial.webhook("its stream is gone", carrier.webhook(back, up))
    trial.check(xml(page).find("Connect/Stream") is not None, f"no other stream: {page}")
    last = carrier.progress(0, CallDuration="7", Duration="1", SipResponseCode="200")
    fields = carrier.from_caller(call, caller, "completed") | last
    trial.webhook("it is over", carrier.webhook(f"/{name}/status", fields))
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    ours, asked = trial.dial(on_machine="hang_up")
    form = dict(carriers.pairs_of(asked[3].encode()))
    voice, status = (form[it].removeprefix(PUBLIC) for it in ("Url", "StatusCallback"))
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

    ours, asked = trial.dial()
    status = dict(carriers.pairs_of(asked[3].encode()))["StatusCallback"].removeprefix(PUBLIC)
    fields = carrier.to_callee(json.loads(asked[4])["sid"], "busy") | carrier.progress(2, SipResponseCode="486")
    trial.webhook("one is busy", carrier.webhook(status, fields))
    trial.ended(ours, "caller", "busy")


def plivo(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name
    call, caller = str(uuid.uuid4()), trial.caller
    page = trial.webhook("a call comes in", carrier.webhook(f"/{name}/voice", carrier.from_caller(call, caller)), begins=1)
    ours = trial.inbound(caller)
    trial.socket("its media socket", xml(page).find("Stream").text)
    back = xml(page).find("Redirect").text.split("#")[0].removeprefix(PUBLIC)
    up = carrier.from_caller(call, caller, "Redirect", "in-progress")
    page = trial.webhook("its stream is gone", carrier.webhook(back, up))
    trial.check(xml(page).find("Stream") is not None, f"no other stream: {page}")
    end = carrier.end(4000, "NORMAL_CLEARING", "Normal Hangup", "Caller", 7)
    fields = carrier.from_caller(call, caller, "Hangup", "completed") | end
    trial.webhook("it is over", carrier.webhook(f"/{name}/status", fields))
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    ours, asked = trial.dial(on_machine="hang_up")
    body, request = json.loads(asked[3]), json.loads(asked[4])["request_uuid"]
    voice, status = (body[it].removeprefix(PUBLIC) for it in ("answer_url", "hangup_url"))
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

    ours, asked = trial.dial()
    body, request = json.loads(asked[3]), json.loads(asked[4])["request_uuid"]
    end = carrier.end(3010, "USER_BUSY", "Busy Line", "Callee", 0)
    fields = carrier.to_callee(str(uuid.uuid4()), request, "Hangup", "busy") | end
    trial.webhook("one is busy", carrier.webhook(body["hangup_url"].removeprefix(PUBLIC), fields))
    trial.ended(ours, "caller", "busy")


def telnyx(trial):
    """A call to us; one by us to a machine; one to nobody."""
    carrier, name = trial.carrier, trial.carrier.name

    def event(what, event_type, payload, target, begins=0):
        def make():
            return carrier.webhook(target, event_type, payload)

        request = make()
        read = carrier.read(request)
        trial.check(read.data.event_type == event_type, f"the SDK reads {event_type} as {read}")
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
    stream = {"stream_id": str(uuid.uuid4()), "stream_url": said.get("stream_url")}
    event("its stream has begun", "streaming.started", carrier.payload(call, caller, **known, **stream), door)
    event("a key", "call.dtmf.received", carrier.payload(call, caller, **known, digit="5"), door)
    event("its stream has stopped", "streaming.stopped", carrier.payload(call, caller, **known, **stream), door)
    end = {"hangup_cause": "normal_clearing", "hangup_source": "caller", "sip_hangup_cause": "200"}
    event("it is over", "call.hangup", carrier.payload(call, caller, **known, **end), door)
    trial.ended(ours, "caller", "hung_up")
    if name != carrier.kind:
        return

    since = len(trial.far_end.requests)
    ours, asked = trial.dial(on_machine="hang_up")
    body, call = json.loads(asked[3]), json.loads(asked[4])["data"]["call_control_id"]
    door, known = body["webhook_url"].removeprefix(PUBLIC), {"client_state": body["client_state"]}
    begun = carrier.payload(call, **known, direction="outgoing", state="bridging")
    event("a call of ours: initiated", "call.initiated", begun, door)
    trial.told(ours, "call.ringing")
    event("it is answered", "call.answered", carrier.payload(call, **known), door)
    trial.told(ours, "call.answered")
    trial.far_end.wait(lambda it: it[1] == f"/v2/calls/{call}/actions/streaming_start", "start its stream", since)
    failed = {"failure_reason": "connection_failed", "stream_id": str(uuid.uuid4())}
    event("its stream has failed", "streaming.failed", carrier.payload(call, **known, **failed), door)
    verdict = carrier.payload(call, **known, result="machine")
    event("a machine picked up", "call.machine.detection.ended", verdict, door)
    verdict = carrier.payload(call, **known, result="beep_detected")
    event("its greeting is over", "call.machine.greeting.ended", verdict, door)
    end |= {"hangup_source": "callee"}
    event("it is over", "call.hangup", carrier.payload(call, **known, **end), door)

    ours, asked = trial.dial()
    body, call = json.loads(asked[3]), json.loads(asked[4])["data"]["call_control_id"]
    busy = {"hangup_cause": "user_busy", "hangup_source": "callee", "sip_hangup_cause": "486"}
    payload = carrier.payload(call, client_state=body["client_state"], **busy)
    event("one is busy", "call.hangup", payload, body["webhook_url"].removeprefix(PUBLIC))
    trial.ended(ours, "caller", "busy")


def xml(page):
    """A page, read."""
    return ElementTree.fromstring(page.encode())


def report(trials):
    """Prints what became of everything."""
    print(f"{'account':<12}{'webhooks':>9}{'taken':>7}{'mutations':>11}{'refused':>9}{'stricter':>10}{'equivalent':>12}{'wrong':>7}")
    total = collections.Counter()
    for trial in trials:
        tally = trial.tally
        row = [tally.made, tally.taken, sum(tally.fates.values()), *(tally.fates[it] for it in (REFUSED, STRICTER, SAME)), len(tally.wrong)]
        line(trial.carrier.name, row)
        total.update(dict(enumerate(row)))
    line("all", [total[at] for at in range(7)])
    statuses = sum((trial.tally.statuses for trial in trials), collections.Counter())
    print("\nWhat the gateway said to mutations:", ", ".join(f"{status} × {count}" for status, count in sorted(statuses.items())))
    for fate, title in (
        (REFUSED, "Refused by the SDK and by the gateway"),
        (STRICTER, "Refused by the gateway, though the SDK does not see them"),
        (SAME, "Equivalent: taken by the SDK and by the gateway"),
    ):
        print(f"\n{title}:")
        for kind in KINDS:
            kinds = sum((it.tally.kinds[fate] for it in trials if it.carrier.kind == kind), collections.Counter())
            said = "; ".join(f"{what} ({count})" for what, count in sorted(kinds.items()))
            print(f"  {kind}: {said or 'none'}")


def line(name, row):
    """Prints a row of the table."""
    print(f"{name:<12}" + "".join(f"{value:>{width}}" for value, width in zip(row, (9, 7, 11, 9, 10, 12, 7))))


def main():
    """Reads the gateway's configuration, and tries every account in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    with open(parser.parse_args().config, "rb") as file:
        config = tomllib.load(file)
    tables = config["carriers"]
    port = int(config["server"]["listen"].rsplit(":", 1)[1])
    far_end = FarEnd(int(tables["twilio"]["api_url"].rsplit(":", 1)[1]))
    gateway = Gateway(port, os.environ["OFFHOOK_TOKEN"])
    carriers.ALL_TOKENS += [it["auth_token"] for it in tables.values() if "auth_token" in it]
    accounts = {}
    for number, ours in config["numbers"].items():
        name = ours["carrier"]
        kind = tables[name].get("kind", name)
        if kind == "telnyx" and tables[name]["public_key"] != carriers.public_key(name):
            raise SystemExit(f"error: the public key of {name} is to be {carriers.public_key(name)}")
        accounts[name] = KINDS[kind](name, kind, number, tables[name], accounts)
    trials = [Trial(gateway, far_end, carrier) for carrier in accounts.values()]
    for trial in trials:
        {"twilio": twilio, "telnyx": telnyx, "plivo": plivo}[trial.carrier.kind](trial)
    report(trials)
    wrong = [it for trial in trials for it in trial.tally.wrong]
    for account, those in itertools.groupby(wrong, key=lambda it: it.split(":")[0]):
        those = list(those)
        for what in those[:SHOWN]:
            print(f"\nwrong: {what}")
        if len(those) > SHOWN:
            print(f"\nand {len(those) - SHOWN} more of {account}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
