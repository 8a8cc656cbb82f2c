"""One account's webhooks and their mutations, tried at the gateway."""

import collections
import json
import time

from carrier import CALLEE
from mutations import REFUSED, SAME, STRICTER, same


class Tally:
    """What became of an account's webhooks, and where the gateway and the SDK agreed on it."""

    def __init__(self):
        self.made = self.accepted = 0
        self.mutations = self.refused = self.equivalent = self.agreed = self.stricter = self.looser = 0
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
        before = self.settled()
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
        self.mutate(name, same("sent again", request))
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
            self.tally.accepted += 1
        else:
            self.fail(f"{name}: the SDK says {by_sdk}, the gateway {status}: {request}")
        return text

    def mutate(self, name, mutation):
        """Tries a changed webhook."""
        by_sdk = self.carrier.behind(mutation.request.target).accepts(mutation.request)
        status, _ = self.gateway.send(mutation.request)
        # What is genuine and makes no sense is malformed (400), and not forged.
        by_gateway = status in (200, 101, 400)
        tally = self.tally
        tally.mutations += 1
        tally.refused += not by_gateway
        tally.equivalent += by_gateway
        tally.agreed += by_sdk == by_gateway
        tally.stricter += by_sdk and not by_gateway
        tally.looser += by_gateway and not by_sdk
        tally.kinds[mutation.fate][mutation.kind] += 1
        tally.statuses[status] += 1
        if by_sdk != (mutation.fate != REFUSED) or status not in mutation.statuses:
            said = "genuine" if by_sdk else "forged"
            wrong = f"{name}: {mutation.kind}: the SDK calls it {said}, the gateway says {status}"
            self.fail(f"{wrong}, and it should be {mutation.fate} with {mutation.statuses}\n    {mutation.request}")

    def trace(self):
        """How many calls there are, and what they have come to."""
        calls = self.gateway.calls()
        return len(calls), sum(1 for it in calls if it["ended"]), len(self.far_end.requests)

    def settled(self):
        """The same, once what went before has had its effects."""
        trace = None
        for _ in range(200):
            before, trace = trace, self.trace()
            if before == trace:
                break
            time.sleep(0.05)
        return trace

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
