"""A stream of events goes on for ever, and whoever reads it to its end would too."""

import schemathesis


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if not case.path.endswith("/events"):
        return
    query = case.query or {}
    if query.get("past", False) in (False, True, "false", "true"):
        case.query = {**query, "past": "true"}
