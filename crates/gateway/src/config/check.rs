//! From what was written to what is meant: every name looked up, every default chosen, every
//! secret fetched, and every problem found in one go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use call::{Number, Phrases};
use policy::Power;
use ports::Settings;
use ports::agent::Answerer;
use ports::carrier::Carrier;
use url::{Host, Url};

use super::file::File;
use super::plan::{AgentPlan, History, OnMachine, OurNumber, Plan, SpeechPlan, Telemetry};
use super::problem::{ConfigProblem, Findings, Place};
use super::secret::Outside;
use super::section::{Section, Spot, nearest};
use super::{
    Lists, Loaded, Marks, disclosure, journal, limits, plug, recordings, reports, rules, tools,
    transfers, trust,
};
use crate::tunnel::Tunnel;

/// Resolves a file, or says everything that is wrong with it.
pub(super) fn check(
    file: &File,
    name: &str,
    lists: &Lists,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Vec<ConfigProblem>> {
    let mut found = Findings::new(name);
    let outside = Outside {
        env,
        folder: &file.folder,
    };
    let mut root = Section::root(&file.entries);
    let plugs = plug::Plugs::new(&outside, file.audience);

    let server = server(root.section("server", &mut found), &mut found);
    let carriers = carriers(&mut root, lists, &plugs, &mut found);
    let section = root.section("speech", &mut found);
    let speech = speech(section, lists, &plugs, &mut found);
    let languages = speech.as_ref().map(|(entry, _)| entry.languages);
    let transfers = transfers::read(&mut root, &mut found);
    let tools = tools::read(&mut root, &plugs, &mut found);
    let known = Known {
        lists,
        languages,
        transfers: &transfers,
        tools: &tools,
    };
    let agents = agents(&mut root, &known, &plugs, &mut found);
    let numbers = numbers(&mut root, &carriers, &agents, &mut found);
    let ours = numbers.keys().cloned().collect();
    let rules = rules::read(&mut root, ours, &plugs, &mut found);
    let transfers = transfers::check(transfers, &rules, (&numbers, &carriers), &mut found);
    let patience = limits::patience(root.section("turns", &mut found), &rules, &mut found);
    let phrases = phrases(root.section("phrases", &mut found), &mut found);
    let disclosure = disclosure::disclosure(root.section("disclosure", &mut found), &mut found);
    let recordings = recordings::recordings(
        root.section("recordings", &mut found),
        file,
        (&numbers, &carriers, &transfers),
        &mut found,
    );
    recordings::keep_pins_off(recordings.as_ref(), &rules, &mut found);
    let section = root.section("journal", &mut found);
    let (keep, keys) = journal::journal(section, &outside, &mut found);
    let reports = reports::read(&mut root, file, &plugs, &mut found);
    let telemetry = telemetry(root.section("telemetry", &mut found), env, &mut found);
    root.close(&mut found);

    // Where one of them is missing there is a problem, and the plan is never seen.
    let server = server.unwrap_or_else(Server::missing);
    let plan = Plan {
        inquiry: call::Pace::default(),
        listen: server.listen,
        public_url: server.public_url,
        expose: server.expose,
        drain: server.drain,
        calls_per_minute: server.calls_per_minute,
        carriers: built(carriers),
        numbers,
        agents: built(agents),
        tools: tools::built(tools),
        transfers,
        rules,
        patience,
        phrases,
        speech: speech.map_or_else(no_speech, |(_, plan)| plan),
        disclosure,
        recordings,
        keep,
        keys,
        reports,
        telemetry,
    };
    let warnings = found.into_result()?;
    Ok(Loaded {
        plan,
        warnings,
        marks: Marks::of(file, &plugs.behind),
    })
}

impl Server {
    fn missing() -> Self {
        Self {
            listen: default_listen(),
            public_url: String::new(),
            expose: None,
            drain: Duration::ZERO,
            calls_per_minute: DEFAULT_CALLS_PER_MINUTE,
        }
    }
}

/// Everything with a name that was written, also what could not be built: a number may point at
/// it, and one mistake should be one problem.
pub(super) type Named<T> = BTreeMap<String, Built<T>>;

pub(super) enum Built<T> {
    Well(T),
    Badly,
}

fn built<T>(named: Named<T>) -> BTreeMap<String, T> {
    let well = |(name, built)| match built {
        Built::Well(it) => Some((name, it)),
        Built::Badly => None,
    };
    named.into_iter().filter_map(well).collect()
}

/// What stands in `[server]`.
struct Server {
    listen: SocketAddr,
    public_url: String,
    expose: Option<Tunnel>,
    drain: Duration,
    calls_per_minute: usize,
}

fn server(mut server: Section<'_>, found: &mut Findings) -> Option<Server> {
    let listen = server.text("listen", found);
    let public_url = server.text("public_url", found);
    let expose = server.text("expose", found);
    let drain = server.number("drain_seconds", 0..=3_600, found);
    let calls_per_minute = server.number("calls_per_minute", 0..=1_000_000, found);
    let hint = "write the address that carriers reach this gateway at: \
                `public_url = \"https://voice.example.com\"`, or have one opened: \
                `expose = \"cloudflared\"`";
    if !server.has("expose") {
        server.require("public_url", hint, found);
    }
    let exposes = server.has("expose");
    let written = server.has("listen");
    server.close(found);

    let listen = match listen {
        Some(listen) => address(listen, found),
        None => (!written).then(default_listen),
    };
    if let (Some(written), Some(_)) = (&public_url, &expose) {
        let message = "`public_url` in [server] is what the tunnel in `expose` says it is";
        found.problem(written.place(), message, "remove one of the two");
    }
    let public_url = match public_url {
        Some(url) => public_address(url, found),
        None => listen.map(|it| format!("http://{it}")),
    };
    let expose = match expose {
        Some(expose) => Some(tunnel(expose, found)?),
        // One that is no text was complained about.
        None if exposes => return None,
        None => None,
    };
    Some(Server {
        listen: listen?,
        public_url: public_url?,
        expose,
        drain: drain.map_or(DEFAULT_DRAIN, |it| Duration::from_secs(it.value)),
        calls_per_minute: calls_per_minute
            .and_then(|it| usize::try_from(it.value).ok())
            .unwrap_or(DEFAULT_CALLS_PER_MINUTE),
    })
}

fn tunnel(written: Spot<&str>, found: &mut Findings) -> Option<Tunnel> {
    let tunnel = Tunnel::named(written.value);
    if tunnel.is_none() {
        let known = Tunnel::ALL.map(Tunnel::name);
        unknown(
            "tunnel",
            written.value,
            known.into_iter(),
            &written.place(),
            found,
        );
    }
    tunnel
}

fn address(listen: Spot<&str>, found: &mut Findings) -> Option<SocketAddr> {
    let address = listen.value.parse().ok();
    if address.is_none() {
        let message = "`listen` in [server] is not an IP address and a port";
        let hint = "write it as `listen = \"127.0.0.1:8787\"`";
        found.problem(listen.place(), message, hint);
    }
    address
}

/// In place of one that is missing, which is a problem of its own.
fn no_speech() -> SpeechPlan {
    SpeechPlan {
        vendor: String::new(),
        settings: Settings::default(),
    }
}

/// How long a gateway that is told to stop waits for its calls to end by themselves.
const DEFAULT_DRAIN: Duration = Duration::from_secs(5);

/// How many calls each token may make in a minute: it slows down nobody but who asks and asks.
const DEFAULT_CALLS_PER_MINUTE: usize = 60;

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8787))
}

fn public_address(written: Spot<&str>, found: &mut Findings) -> Option<String> {
    let key = "`public_url` in [server]";
    let url = plug::web_address(key, written, found)?;
    if !is_loopback(&url) && url.scheme() != "https" {
        let message = format!("{key} is http, so callers' sound travels in the open");
        found.warning(
            written.place(),
            message,
            "carriers want https; put a TLS proxy in front",
        );
    }
    if url.host_str().is_some_and(|it| it.contains('_')) {
        let message =
            format!("{key} has a `_` in its host's name, and carriers do not call such hosts");
        let hint = "give the host a name of letters, digits and hyphens (RFC 1123)";
        found.problem(written.place(), message, hint);
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn carriers(
    root: &mut Section<'_>,
    lists: &Lists,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> Named<Carrier> {
    let mut carriers = Named::new();
    let title = |name: &str| plug::title("carriers", name);
    for (name, mut section) in root.sections("carriers", title, found) {
        plug::check_name(name, &section, found);
        let kind = section.text("kind", found);
        let kind = match kind {
            Some(kind) => Some(kind.value),
            None => (!section.has("kind")).then_some(name),
        };
        let before = found.count();
        let place = section.place.clone();
        let built = kind.and_then(|kind| {
            let entry = lists.carriers.iter().find(|entry| entry.name == kind);
            if entry.is_none() {
                let known = lists.carriers.iter().map(|entry| entry.name);
                unknown("carrier", kind, known, &place, found);
            }
            entry
        });
        let Some(entry) = built else {
            carriers.insert(name.to_owned(), Built::Badly);
            continue;
        };
        let (settings, lines) = plugs.settings(&mut section, entry.keys, found);
        section.close(found);
        let carrier = plug::build(before, &place, &lines, found, || (entry.build)(&settings));
        carriers.insert(name.to_owned(), carrier.map_or(Built::Badly, Built::Well));
    }
    carriers
}

/// What an agent's table may name.
struct Known<'k> {
    lists: &'k Lists,
    languages: Option<&'k [&'k str]>,
    transfers: &'k transfers::Written,
    tools: &'k tools::Written,
}

fn agents(
    root: &mut Section<'_>,
    known: &Known<'_>,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> Named<AgentPlan> {
    let mut agents = Named::new();
    let title = |name: &str| plug::title("agents", name);
    for (name, mut section) in root.sections("agents", title, found) {
        plug::check_name(name, &section, found);
        let before = found.count();
        let kind = section.text("kind", found);
        let lists = known.lists;
        let kinds: Vec<&str> = lists.agents.iter().map(|entry| entry.kind).collect();
        section.require(
            "kind",
            &format!("say what answers: {}", kinds.join(", ")),
            found,
        );
        let entry = kind.and_then(|kind| {
            let entry = lists.agents.iter().find(|entry| entry.kind == kind.value);
            if entry.is_none() {
                unknown(
                    "kind of agent",
                    kind.value,
                    kinds.into_iter(),
                    &kind.place(),
                    found,
                );
            }
            entry
        });
        let Some(entry) = entry else {
            agents.insert(name.to_owned(), Built::Badly);
            continue;
        };
        let opening = section.text("opening", found);
        let on_machine = on_machine(&mut section, found);
        let language = section.text("language", found);
        let transfer_to = section.list("transfer_to", found);
        let tools = section.list("tools", found);
        let history = history(&mut section, found);
        let call_back_after = section.number("call_back_after_s", 1..=LONGEST_WAIT, found);
        let (settings, lines) = plugs.settings(&mut section, entry.keys, found);
        let place = section.place.clone();
        section.close(found);
        let answerer = plug::build(before, &place, &lines, found, || (entry.build)(&settings));
        let transfer_to =
            transfers::of_agent(answerer.as_ref(), transfer_to, known.transfers, found);
        let tools = tools::of_agent(answerer.as_ref(), tools, known.tools, found);
        let agent = answerer.map(|answerer| {
            check_opening(&answerer, opening, found);
            check_language(known.languages, language, found);
            AgentPlan {
                history,
                call_back_after: call_back_after
                    .map_or(CALL_BACK_AFTER, |it| Duration::from_secs(it.value)),
                tools,
                transfer_to,
                answerer,
                opening: opening.map(|opening| opening.value.into()),
                on_machine,
                language: language
                    .map_or(DEFAULT_LANGUAGE, |language| language.value)
                    .to_owned(),
            }
        });
        agents.insert(name.to_owned(), agent.map_or(Built::Badly, Built::Well));
    }
    let by_hand = known.lists.agents.iter().any(|it| it.kind == BY_HAND);
    if by_hand && !agents.contains_key(BY_HAND) {
        agents.insert(BY_HAND.to_owned(), Built::Well(AgentPlan::by_hand()));
    }
    agents
}

/// The agent that is there without a word: it is answered for over the API or MCP.
pub const BY_HAND: &str = "by-hand";

impl AgentPlan {
    fn by_hand() -> Self {
        Self {
            answerer: Answerer::ByHand,
            opening: None,
            on_machine: OnMachine::Talk,
            language: DEFAULT_LANGUAGE.to_owned(),
            transfer_to: Vec::new(),
            tools: Vec::new(),
            history: History::Call,
            call_back_after: CALL_BACK_AFTER,
        }
    }
}

/// How long a caller waits for something before they are promised to be called back with it.
pub const CALL_BACK_AFTER: Duration = Duration::from_secs(45);
/// In seconds: no tool may take longer.
const LONGEST_WAIT: u64 = 240;

/// What an agent is told of earlier calls: nothing, unless it is written otherwise.
fn history(section: &mut Section<'_>, found: &mut Findings) -> History {
    let wanted = section.text("history", found);
    let written = section.text("history_trust", found);
    let trust = trust::trust_under("history_trust", written, Power::Remember, found);
    match wanted.map(|it| it.value) {
        None | Some("call") => {
            if let Some(written) = written {
                let message = "`history_trust` says nothing where no earlier call is told of";
                let hint = "remove it, or write `history = \"caller\"`";
                found.problem(written.place(), message, hint);
            }
            History::Call
        }
        Some("caller") => History::Caller(trust),
        Some("shared") => History::Shared(trust),
        Some(other) => {
            let place = wanted.map_or(section.place.clone(), |it| it.place());
            let message = format!("`history` cannot be `{}`", plug::shown(other));
            let hint = "\"call\" begins anew with each call, \"caller\" reminds the agent of earlier calls with the \
                        same caller, \"shared\" reminds it of all of them where it talks with you";
            found.problem(place, message, hint);
            History::Call
        }
    }
}

/// What an agent does with a machine that picks up: it talks, unless it is written otherwise.
fn on_machine(section: &mut Section<'_>, found: &mut Findings) -> OnMachine {
    let wanted = section.text("on_machine", found);
    let message = section.text("machine_message", found);
    if let Some(message) = message
        && call::clauses(message.value).is_empty()
    {
        let hint = "write what is to be said to a machine";
        found.problem(
            message.place(),
            "there are no words in `machine_message`",
            hint,
        );
    }
    match (wanted.map(|it| it.value), message) {
        (Some("leave") | None, Some(message)) => OnMachine::Leave(message.value.into()),
        (None | Some("talk"), None) => OnMachine::Talk,
        (Some("hang_up"), None) => OnMachine::HangUp,
        (Some("leave"), None) => {
            let place = wanted.map_or(section.place.clone(), |it| it.place());
            let hint = "write it: `machine_message = \"Please call us back.\"`";
            found.problem(place, "there is no `machine_message` to leave", hint);
            OnMachine::Talk
        }
        (Some("talk" | "hang_up"), Some(message)) => {
            let said = "`machine_message` would never be said";
            found.problem(
                message.place(),
                said,
                "remove it, or write `on_machine = \"leave\"`",
            );
            OnMachine::Talk
        }
        (Some(other), _) => {
            let place = wanted.map_or(section.place.clone(), |it| it.place());
            let message = format!("`on_machine` cannot be `{}`", plug::shown(other));
            found.problem(place, message, "write `talk`, `hang_up` or `leave`");
            OnMachine::Talk
        }
    }
}

/// A call in a language nobody here understands would be answered only to be given up.
fn check_language(known: Option<&[&str]>, language: Option<Spot<&str>>, found: &mut Findings) {
    let (Some(known), Some(language)) = (known, language) else {
        return;
    };
    let lower = language.value.to_lowercase();
    let speaks = |it: &&&str| {
        lower
            .strip_prefix(**it)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    if known.iter().find(speaks).is_none() {
        let message = format!(
            "no ears or voice here know the language `{}`",
            plug::shown(&lower)
        );
        let hint = format!("there is: {}", known.join(", "));
        found.problem(language.place(), message, hint);
    }
}

fn check_opening(answerer: &Answerer, opening: Option<Spot<&str>>, found: &mut Findings) {
    match (answerer, opening) {
        (Answerer::Loopback, Some(opening)) => {
            let message = "this kind of agent gives back the caller's sound and cannot speak";
            found.problem(opening.place(), message, "remove `opening`");
        }
        (Answerer::Words { .. } | Answerer::Connects { .. } | Answerer::ByHand, _)
        | (Answerer::Loopback, None) => {}
    }
}

fn numbers(
    root: &mut Section<'_>,
    carriers: &Named<Carrier>,
    agents: &Named<AgentPlan>,
    found: &mut Findings,
) -> BTreeMap<Number, OurNumber> {
    let mut numbers = BTreeMap::new();
    for (key, mut section) in root.sections("numbers", limits::number_title, found) {
        let number = Number::parse(key);
        if let Err(fault) = &number {
            let message = format!("{} does not name a number: {fault}", section.name);
            let hint = "write it as `[numbers.\"+15550001111\"]`, without spaces";
            found.problem(section.place.clone(), message, hint);
        }
        let carrier = points_at("carrier", "carriers", carriers, &mut section, found);
        let agent = points_at("agent", "agents", agents, &mut section, found);
        section.close(found);
        if let (Ok(number), Some(carrier), Some(agent)) = (number, carrier, agent) {
            numbers.insert(number, OurNumber { carrier, agent });
        }
    }
    if !root.has("numbers") {
        let message = "no number is yours, so nothing can be called or answered";
        let hint = "add a table such as `[numbers.\"+15550001111\"]` with `carrier` and `agent`";
        found.warning(Place::Table("[numbers]".to_owned()), message, hint);
    }
    numbers
}

/// The value of a number's `key`, which names one of `tables`.
fn points_at<T>(
    key: &'static str,
    table: &str,
    tables: &Named<T>,
    section: &mut Section<'_>,
    found: &mut Findings,
) -> Option<String> {
    let name = section.text(key, found);
    section.require(
        key,
        &format!("write the name of a [{table}.…] table"),
        found,
    );
    let name = name?;
    if tables.contains_key(name.value) {
        return Some(name.value.to_owned());
    }
    let shown = plug::shown(name.value);
    let message = format!("there is no {key} `{shown}`");
    let hint = if tables.is_empty() {
        format!("add a table `[{table}.{shown}]`")
    } else {
        nearest(name.value, tables.keys().map(String::as_str))
    };
    found.problem(name.place(), message, hint);
    None
}

fn phrases(mut section: Section<'_>, found: &mut Findings) -> Phrases {
    let mut phrases = Phrases::default();
    let mut set = |key, phrase: &mut call::Private<String>| {
        if let Some(text) = section.text(key, found) {
            *phrase = text.value.into();
        }
    };
    set("filler", &mut phrases.filler);
    set("still", &mut phrases.still);
    set("apology", &mut phrases.apology);
    set("back", &mut phrases.back);
    set("goodbye", &mut phrases.goodbye);
    section.close(found);
    phrases
}

fn speech(
    mut section: Section<'_>,
    lists: &Lists,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> Option<(&'static ports::speech::Entry, SpeechPlan)> {
    let written = section.text("vendor", found);
    let name = match &written {
        Some(vendor) => vendor.value,
        None if section.has("vendor") => return None,
        None => lists.vendors.first()?.name,
    };
    let Some(entry) = lists.vendors.iter().find(|entry| entry.name == name) else {
        let place = written.map_or(section.place, |vendor| vendor.place());
        let known = lists.vendors.iter().map(|entry| entry.name);
        unknown("speech vendor", name, known, &place, found);
        return None;
    };
    let before = found.count();
    let (settings, lines) = plugs.settings(&mut section, entry.keys, found);
    let place = section.place.clone();
    section.close(found);
    plug::build(before, &place, &lines, found, || (entry.check)(&settings));
    let plan = SpeechPlan {
        vendor: entry.name.to_owned(),
        settings,
    };
    Some((entry, plan))
}

/// Where traces go: as written, else as every program is told.
fn telemetry(
    mut section: Section<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    found: &mut Findings,
) -> Option<Telemetry> {
    let written = section.text("otlp", found);
    let private = section.flag("private", found).unwrap_or_default();
    section.close(found);
    let told = |name| env(name).filter(|it| !it.trim().is_empty());
    let under = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
    let otlp = match written {
        Some(written) => {
            let url = plug::web_address("`otlp` in [telemetry]", written, found)?;
            under(url.as_str())
        }
        None => told("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| told("OTEL_EXPORTER_OTLP_ENDPOINT").map(|it| under(&it)))?,
    };
    Some(Telemetry { otlp, private })
}

fn unknown<'w>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'w str>,
    place: &Place,
    found: &mut Findings,
) {
    let message = format!("there is no {what} `{}`", plug::shown(name));
    found.problem(place.clone(), message, nearest(name, known));
}

const DEFAULT_LANGUAGE: &str = "en";
