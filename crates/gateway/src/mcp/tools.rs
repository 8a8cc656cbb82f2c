//! What can be done with the telephone.

use std::time::Duration;

use http::HeaderValue;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ask::{Api, Refusal};
use crate::config::BY_HAND;

/// All there are.
pub(super) fn all() -> Vec<Tool> {
    TOOLS
        .iter()
        .map(|it| {
            let Value::Object(takes) = (it.takes)() else {
                unreachable!("a schema is an object");
            };
            let hints = ToolAnnotations::new().read_only(it.reads);
            Tool::new(it.name, it.about, takes).with_annotations(hints)
        })
        .collect()
}

/// Does what a tool is for.
///
/// # Errors
/// It is no tool, makes no sense, or may not be done.
pub(super) async fn call(api: &Api, name: &str, takes: JsonObject) -> Result<Value, Refusal> {
    let takes = Value::Object(takes);
    match name {
        "place_call" => place(api, &takes).await,
        "say" => say(api, &takes).await,
        "listen" => listen(api, &takes).await,
        "press_keys" => {
            let body = json!({ "digits": text(&takes, "keys")? });
            api.post(&of(&takes, "/digits")?, body).await?;
            Ok(json!({ "pressed": true }))
        }
        "end_call" => end(api, &takes).await,
        "get_call" => get(api, &of(&takes, "")?).await,
        "list_calls" => list(api, &takes).await,
        "ask_permission" => permission(api, &takes).await,
        _ => Err(Refusal::senseless(
            "there is no such tool",
            "`tools/list` names them",
        )),
    }
}

async fn place(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let notify = match takes["mode"].as_str() {
        None | Some("conversation") => false,
        Some("notify") => true,
        Some(_) => {
            return Err(Refusal::senseless(
                "`mode` is `notify` or `conversation`",
                "`notify` says one thing and hangs up",
            ));
        }
    };
    let opening = takes["opening_line"].as_str();
    if notify && opening.is_none() {
        let hint = "write in `opening_line` what is to be said";
        return Err(Refusal::senseless("a notice says something", hint));
    }
    let agent = match takes["who_speaks"].as_str() {
        None | Some("me") => BY_HAND,
        Some(agent) => agent,
    };
    let mut order = json!({ "to": text(takes, "to")?, "converse": !notify });
    let fields = [
        ("say", opening),
        ("agent", (!notify).then_some(agent)),
        ("from", takes["from"].as_str()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            order[name] = value.into();
        }
    }
    if let Some(objective) = objective(takes)? {
        order["objective"] = objective;
    }
    if let Some(token) = takes["token"].as_str() {
        order = json!({ "token": token });
    }
    // A host that asks twice because it got no answer does not know that it did; one that wants two calls says so.
    let key = takes["idempotency_key"].as_str().map(str::to_owned);
    let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let key = HeaderValue::from_str(&key)
        .map_err(|_| Refusal::senseless("that is no `idempotency_key`", "a UUID is one"))?;
    let placed = api.post_once("/v1/calls", order, key).await?;
    if takes["wait"] != true || placed["state"].is_string() {
        return Ok(placed);
    }
    let call = format!("/v1/calls/{}", placed["id"].as_str().unwrap_or_default());
    over(api, &call).await
}

/// What a call is to achieve, as the API takes it; `None`: nobody says.
fn objective(takes: &Value) -> Result<Option<Value>, Refusal> {
    let more = [
        ("facts", "facts"),
        ("avoid", "avoid"),
        ("fallback", "fallback"),
        ("success", "success"),
        ("outcome_schema", "schema"),
    ];
    let more = more.map(|(name, field)| (field, &takes[name]));
    let mut more = more.into_iter().filter(|(_, it)| !it.is_null()).peekable();
    let Some(goal) = takes["objective"].as_str() else {
        if more.peek().is_none() {
            return Ok(None);
        }
        let hint = "write in `objective` what the call is to achieve";
        return Err(Refusal::senseless("there is no `objective`", hint));
    };
    let mut objective = json!({ "goal": goal });
    for (field, value) in more {
        objective[field] = value.clone();
    }
    Ok(Some(objective))
}

/// Waits until a call is over and it is known what came of it, for as long as hosts wait for a tool.
async fn over(api: &Api, call: &str) -> Result<Value, Refusal> {
    let mut look = tokio::time::interval(LOOK);
    let end = tokio::time::Instant::now() + LONGEST;
    let mut judged = None;
    loop {
        look.tick().await;
        let (view, now) = (api.get(call).await?, tokio::time::Instant::now());
        let is_over = !view["ended"].is_null();
        let known = !view["outcome"].is_null() || view["objective"].is_null();
        let late = is_over && now >= *judged.get_or_insert(now + JUDGED);
        if (is_over && known) || late || now >= end {
            return get(api, call).await;
        }
    }
}

/// Ends a call, and says what came of it if that is known.
async fn end(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let (call, ends) = (of(takes, "")?, of(takes, "/end")?);
    let outcome = &takes["outcome"];
    if outcome.is_null() {
        api.post(&ends, json!({})).await?;
        return Ok(json!({ "ended": true }));
    }
    if api.get(&call).await?["ended"].is_null() {
        api.post(&ends, json!({})).await?;
        let mut look = tokio::time::interval(LOOK);
        for _ in 0..LOOKS {
            look.tick().await;
            if !api.get(&call).await?["ended"].is_null() {
                break;
            }
        }
    }
    let outcome = api.post(&of(takes, "/outcome")?, outcome.clone()).await?;
    Ok(json!({ "ended": true, "outcome": outcome }))
}

async fn say(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let then = if takes["then_hang_up"] == true {
        "hang_up"
    } else {
        "listen"
    };
    let body = json!({ "text": text(takes, "text")?, "then": then });
    api.post(&of(takes, "/answer")?, body).await
}

async fn listen(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let wait = takes["wait_s"].as_u64().unwrap_or(25).min(60);
    api.post(&of(takes, "/listen")?, json!({ "wait_s": wait }))
        .await
}

/// A call, and what was said on it.
async fn get(api: &Api, call: &str) -> Result<Value, Refusal> {
    let mut view = api.get(call).await?;
    let transcript = api.get(&format!("{call}/transcript")).await?;
    view["transcript"] = transcript["lines"].clone();
    Ok(view)
}

async fn list(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let most = takes["most"].as_u64().unwrap_or(20).clamp(1, 100);
    let up = takes["up"] == true;
    let calls = api.get(&format!("/v1/calls?most={most}&up={up}")).await?;
    Ok(json!({ "calls": calls }))
}

async fn permission(api: &Api, takes: &Value) -> Result<Value, Refusal> {
    let mut order = json!({ "to": text(takes, "to")?, "converse": true, "agent": BY_HAND });
    if let Some(why) = takes["objective"].as_str() {
        order["purpose"] = why.into();
    }
    if let Some(opening) = takes["opening_line"].as_str() {
        order["say"] = opening.into();
    }
    api.post("/v1/calls?plan", order).await
}

/// An address of the call that is named.
fn of(takes: &Value, rest: &str) -> Result<String, Refusal> {
    let call = text(takes, "call")?;
    let plain = !call.is_empty()
        && call
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-');
    if !plain {
        let hint = "it is the `id` that `place_call` and `list_calls` give";
        return Err(Refusal::senseless("that is the name of no call", hint));
    }
    Ok(format!("/v1/calls/{call}{rest}"))
}

fn text<'t>(takes: &'t Value, name: &str) -> Result<&'t str, Refusal> {
    takes[name].as_str().ok_or_else(|| {
        let message = format!("`{name}` is missing");
        Refusal::senseless(message, "`tools/list` says what each tool takes")
    })
}

struct Listed {
    name: &'static str,
    about: &'static str,
    /// Whether it changes nothing.
    reads: bool,
    takes: fn() -> Value,
}

/// As few as will do, told so that a small model understands them.
static TOOLS: [Listed; 8] = [
    Listed {
        name: "place_call",
        about: "Call a person on the phone. Returns the call's `id` at once, while it rings. Only people the owner \
                allows can be called; the answer says why if not.",
        reads: false,
        takes: || {
            object(
                json!({
                    "to": { "type": "string", "description": "Whom to call: the name of a contact, or a number such as +15551234567." },
                    "objective": { "type": "string", "description": "Why: what the call is to achieve, in a sentence. `outcome` tells later whether it did." },
                    "facts": texts("What the one who speaks may go by, and say."),
                    "avoid": texts("What is not to be said."),
                    "fallback": { "type": "string", "description": "What to do where the objective cannot be achieved." },
                    "success": texts("By what one can tell that it was achieved."),
                    "outcome_schema": { "type": "object", "description": "A JSON schema of what to find out." },
                    "opening_line": { "type": "string", "description": "The first words they hear from you, as spoken. Say who you are and why you call." },
                    "mode": { "type": "string", "enum": ["conversation", "notify"], "default": "conversation", "description": "`notify` says the opening line and hangs up." },
                    "who_speaks": { "type": "string", "default": "me", "description": "`me`: you talk yourself, with `listen` and `say`. Or the name of an agent of the owner's that takes the call over." },
                    "from": { "type": "string", "description": "From which of the owner's numbers; usually left out." },
                    "wait": { "type": "boolean", "default": false, "description": "Come back only when the call is over, with its transcript. Not when you talk yourself." },
                    "token": { "type": "string", "description": "From `ask_permission`: makes exactly the call that was asked about." },
                    "idempotency_key": { "type": "string", "description": "A UUID of your own: asking again with the same one never calls twice." },
                }),
                &["to"],
            )
        },
    },
    Listed {
        name: "listen",
        about: "Wait for what the person says next on a call you talk on yourself. `said`: answer it with `say`. \
                `nothing`: listen again. `pressed`: a key. `over`: the call has ended.",
        reads: false,
        takes: || {
            object(
                json!({
                    "call": call_id(),
                    "wait_s": { "type": "integer", "minimum": 0, "maximum": 60, "default": 25, "description": "So many seconds at most." },
                }),
                &["call"],
            )
        },
    },
    Listed {
        name: "say",
        about: "Say something to the person on a call you talk on yourself. Comes back when they have heard it, or \
                have interrupted it: `text` is what they heard.",
        reads: false,
        takes: || {
            object(
                json!({
                    "call": call_id(),
                    "text": { "type": "string", "description": "One to three short sentences, the way people speak. No lists, no markdown." },
                    "then_hang_up": { "type": "boolean", "default": false, "description": "End the call once they have heard it. Say goodbye in it." },
                }),
                &["call", "text"],
            )
        },
    },
    Listed {
        name: "press_keys",
        about: "Press keys on the phone, for menus (\"for sales, press two\").",
        reads: false,
        takes: || {
            object(
                json!({
                    "call": call_id(),
                    "keys": { "type": "string", "description": "0-9, *, # and w for half a second's pause.", "examples": ["2", "1234#"] },
                }),
                &["call", "keys"],
            )
        },
    },
    Listed {
        name: "end_call",
        about: "Hang up now. To say goodbye first, use `say` with `then_hang_up`. Of a call that you talked on \
                yourself, and that had an objective, say in `outcome` what came of it, also once it is over.",
        reads: false,
        takes: || {
            let proof = object(
                json!({
                    "line": { "type": "integer", "minimum": 1, "description": "A line of the transcript." },
                    "quote": { "type": "string", "description": "Words of it, copied." },
                    "of": { "type": "string", "default": "goal", "description": "`goal`, or the name of a fact." },
                }),
                &["line", "quote"],
            );
            let outcome = object(
                json!({
                    "goal": { "type": "string", "enum": ["met", "not_met", "unclear"] },
                    "reached": { "type": "string", "enum": ["person", "voicemail", "refused"] },
                    "summary": { "type": "string" },
                    "facts": { "type": "object", "description": "By your `outcome_schema`, if you gave one." },
                    "proof": { "type": "array", "items": proof },
                }),
                &["goal"],
            );
            object(json!({ "call": call_id(), "outcome": outcome }), &["call"])
        },
    },
    Listed {
        name: "get_call",
        about: "One call: whether it is up, how it ended, what came of it (`outcome`), and its transcript as it was heard.",
        reads: true,
        takes: || object(json!({ "call": call_id() }), &["call"]),
    },
    Listed {
        name: "list_calls",
        about: "The latest calls, in and out; with `up`, only those going on now.",
        reads: true,
        takes: || {
            object(
                json!({
                    "up": { "type": "boolean", "default": false },
                    "most": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 },
                }),
                &[],
            )
        },
    },
    Listed {
        name: "ask_permission",
        about: "Find out whether somebody may be called now, what it costs at most, and whether the owner will be \
                asked first. Calls nobody. Its `token` makes that call with `place_call`.",
        reads: true,
        takes: || {
            object(
                json!({
                    "to": { "type": "string", "description": "The name of a contact, or a number such as +15551234567." },
                    "objective": { "type": "string", "description": "Why, in a sentence." },
                    "opening_line": { "type": "string", "description": "The first words they would hear." },
                }),
                &["to"],
            )
        },
    },
];

fn call_id() -> Value {
    json!({ "type": "string", "description": "The call's `id`." })
}

fn texts(about: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": about })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

const LOOK: Duration = Duration::from_millis(250);
/// A call that is hung up on is over by then.
const LOOKS: usize = 40;
/// By then it is known what came of a call that is over.
const JUDGED: Duration = Duration::from_secs(30);
/// Hosts wait for a tool this long, many of them less.
const LONGEST: Duration = Duration::from_secs(600);
