"""Webhooks that carriers' own SDKs sign, and every change to them, against a running gateway.

What is genuine has to be taken by the SDK and by the gateway. What was changed has to be refused by both, unless it
says the same as before, or what was changed is no part of what the carrier signs: then both have to take it.
"""

import argparse
import collections
import itertools
import os
import sys
import textwrap
import tomllib

import carrier
import plivo_account
import telnyx_account
import twilio_account
from mutations import REFUSED, SAME, STRICTER
from trial import Trial
from wire import FarEnd, Gateway

KINDS = {"twilio": twilio_account, "telnyx": telnyx_account, "plivo": plivo_account}
# So many of those of an account that went wrong are shown in full.
SHOWN = 10
# Stricter: refused by the gateway and taken by the SDK, which does not look at what was changed; looser: the opposite.
COLUMNS = [
    ("webhooks", 10),
    ("accepted", 10),
    ("mutations", 11),
    ("refused", 9),
    ("equivalent", 12),
    ("agreed with SDK", 17),
    ("stricter", 10),
    ("looser", 8),
    ("wrong", 7),
]


def report(trials):
    """Prints what became of everything."""
    print(f"{'account':<12}" + "".join(f"{name:>{width}}" for name, width in COLUMNS))
    total = [0] * len(COLUMNS)
    for trial in trials:
        it = trial.tally
        judged = [it.mutations, it.refused, it.equivalent, it.agreed, it.stricter, it.looser]
        row = [it.made, it.accepted, *judged, len(it.wrong)]
        line(trial.carrier.name, row)
        total = [sum(both) for both in zip(total, row)]
    line("all", total)
    statuses = sum((trial.tally.statuses for trial in trials), collections.Counter())
    print("\nWhat the gateway said to mutations:", ", ".join(f"{status} × {count}" for status, count in sorted(statuses.items())))
    for fate, title in (
        (REFUSED, "Refused by the SDK and by the gateway"),
        (STRICTER, "Refused by the gateway alone: the SDK does not look at these"),
        (SAME, "Equivalent: taken by the SDK and by the gateway"),
    ):
        print(f"\n{title}:")
        for kind in KINDS:
            kinds = sum((it.tally.kinds[fate] for it in trials if it.carrier.kind == kind), collections.Counter())
            said = "; ".join(f"{what} ({count})" for what, count in sorted(kinds.items()))
            print(textwrap.fill(f"{kind}: {said or 'none'}", 150, initial_indent="  ", subsequent_indent="    "))


def line(name, row):
    """Prints a row of the table."""
    print(f"{name:<12}" + "".join(f"{value:>{width}}" for value, (_, width) in zip(row, COLUMNS)))


def main():
    """Reads the gateway's configuration, and tries every account in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    with open(parser.parse_args().config, "rb") as file:
        config = tomllib.load(file)
    tables = config["carriers"]
    port = int(config["server"]["listen"].rsplit(":", 1)[1])
    api_port = int(tables["twilio"]["api_url"].rsplit(":", 1)[1])
    far_end = FarEnd(api_port, {kind.ROOT: kind.answer for kind in KINDS.values()})
    gateway = Gateway(port, os.environ["OFFHOOK_TOKEN"])
    carrier.ALL_TOKENS += [it["auth_token"] for it in tables.values() if "auth_token" in it]
    accounts = {}
    for number, ours in config["numbers"].items():
        name = ours["carrier"]
        kind = tables[name].get("kind", name)
        accounts[name] = KINDS[kind].Account(name, kind, number, tables[name], accounts)
    trials = [Trial(gateway, far_end, account) for account in accounts.values()]
    for trial in trials:
        KINDS[trial.carrier.kind].story(trial)
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
