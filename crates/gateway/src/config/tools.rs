//! `[tools.NAME]`: what an agent may have done in the middle of a call, besides what every agent may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use policy::Power;
use ports::agent::Answerer;
use ports::{Key, Kind, Need};
use serde_json::{Value, json};

use super::plug;
use super::problem::Findings;
use super::section::{Section, Spot, nearest};
use super::trust::trust;
use crate::tools::{Address, At, Builtin, How, Only, Server, ToolPlan};

/// The tables as written: what is wrong with one is a problem, and its name is known all the same.
pub(super) type Written = BTreeMap<String, Option<ToolPlan>>;

/// Reads the tables.
pub(super) fn read(
    root: &mut Section<'_>,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> Written {
    let mut tools = Written::new();
    let title = |name: &str| plug::title("tools", name);
    for (name, mut section) in root.sections("tools", title, found) {
        plug::check_name(name, &section, found);
        if Builtin::of(name).is_some() {
            let message = format!("every agent may have a tool called `{}`", plug::shown(name));
            found.problem(section.place.clone(), message, "give yours another name");
        }
        let before = found.count();
        let trust = trust(section.text("trust", found), Power::UseTool, found);
        let patience = section.number("timeout_s", 1..=LONGEST, found);
        let how = if section.has("mcp") {
            How::Server(Arc::new(server(name, &mut section, plugs, found)))
        } else {
            How::Address(address(&mut section, plugs, found))
        };
        section.close(found);
        let plan = ToolPlan {
            trust,
            patience: Duration::from_secs(patience.map_or(USUAL, |it| it.value)),
            how,
        };
        let well = found.count() == before;
        tools.insert(name.to_owned(), well.then_some(plan));
    }
    tools
}

/// One that is done by asking an address.
fn address(section: &mut Section<'_>, plugs: &plug::Plugs<'_>, found: &mut Findings) -> Address {
    let takes = section.section("takes", found).texts(found);
    let (settings, _) = plugs.settings(section, KEYS, found);
    let text = |key: &str| settings.text(key).unwrap_or_default().to_owned();
    Address {
        about: text("about"),
        takes: schema(&takes),
        url: text("url"),
        token: settings.secret("token").cloned(),
    }
}

/// Those of a server: a program that is run, or an address.
fn server(
    name: &str,
    section: &mut Section<'_>,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> Server {
    let only = section.list("only", found);
    let only = only.map(|it| it.value.iter().map(|it| it.value.to_owned()).collect());
    let at = if section.has_list("mcp") {
        let mut env = section.section("env", found);
        env.name = format!("[tools.{}.env]", plug::shown(name));
        let environment = plugs.secrets(env, found);
        let place = section.place.clone();
        let (settings, _) = plugs.settings(section, PROGRAM, found);
        let command = settings.list("mcp").unwrap_or_default().to_vec();
        if command.first().is_none_or(|it| it.trim().is_empty()) {
            let message = format!("`mcp`{} names no program", section.within());
            found.problem(place, message, PROGRAM[0].help);
        }
        At::Program {
            command,
            environment,
        }
    } else {
        let (settings, _) = plugs.settings(section, SERVER, found);
        At::Address {
            url: settings.text("mcp").unwrap_or_default().to_owned(),
            token: settings.secret("token").cloned(),
        }
    };
    Server::new(name.to_owned(), at, only.map_or(Only::All, Only::These))
}

/// What an agent may have done.
pub(super) fn of_agent(
    answerer: Option<&Answerer>,
    listed: Option<Spot<Vec<Spot<&str>>>>,
    written: &Written,
    found: &mut Findings,
) -> Vec<String> {
    let Some(listed) = listed else {
        return Vec::new();
    };
    match answerer {
        Some(Answerer::Loopback) => {
            let message = "this kind of agent gives back the caller's sound and has nothing done";
            found.problem(listed.place(), message, "remove `tools`");
        }
        Some(Answerer::ByHand) => {
            let message = "whoever holds a call by hand has tools of their own";
            found.problem(listed.place(), message, "remove `tools`");
        }
        Some(Answerer::Words { .. } | Answerer::Connects { .. }) | None => {}
    }
    for name in &listed.value {
        if Builtin::of(name.value).is_none() && !written.contains_key(name.value) {
            let message = format!(
                "`tools` names no [tools.…] table and none that every agent may have, `{}`",
                plug::shown(name.value)
            );
            let known = written.keys().map(String::as_str);
            let known = known.chain(Builtin::ALL.iter().map(|it| it.name()));
            found.problem(name.place(), message, nearest(name.value, known));
        }
    }
    listed.value.iter().map(|it| it.value.to_owned()).collect()
}

/// Each key of the table is a text that the agent has to give.
fn schema(takes: &[(Spot<&str>, Spot<&str>)]) -> Value {
    let properties = takes.iter().map(|(key, about)| {
        let about = json!({ "type": "string", "description": about.value });
        (key.value.to_owned(), about)
    });
    let properties: serde_json::Map<_, _> = properties.collect();
    let required: Vec<_> = takes.iter().map(|(key, _)| key.value).collect();
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

const KEYS: &[Key] = &[
    Key::new(
        "url",
        Kind::Url,
        Need::Required,
        "write where it is asked for: `url = \"http://127.0.0.1:9000/weather\"`",
    ),
    Key::new(
        "about",
        Kind::Text,
        Need::Required,
        "write what it does, for the agent: `about = \"The weather of a town\"`",
    ),
    Key::new(
        "token",
        Kind::Secret,
        Need::Optional,
        "what is sent as `Authorization: Bearer …`",
    ),
];

const SERVER: &[Key] = &[
    Key::new(
        "mcp",
        Kind::Url,
        Need::Required,
        "write where the server is: `mcp = \"http://127.0.0.1:9000/mcp\"`",
    ),
    Key::new(
        "token",
        Kind::Secret,
        Need::Optional,
        "what is sent as `Authorization: Bearer …`",
    ),
];

const PROGRAM: &[Key] = &[Key::new(
    "mcp",
    Kind::List,
    Need::Required,
    "write the program and its arguments: `mcp = [\"npx\", \"-y\", \"some-server\"]`",
)];

/// In seconds.
const USUAL: u64 = 20;
const LONGEST: u64 = 240;

/// Where a tool stands that an agent names.
pub(super) fn built(written: Written) -> BTreeMap<String, ToolPlan> {
    let well = |(name, plan): (String, Option<ToolPlan>)| plan.map(|it| (name, it));
    written.into_iter().filter_map(well).collect()
}
