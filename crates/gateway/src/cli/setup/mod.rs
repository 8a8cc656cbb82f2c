//! `offhook setup`: from an account with a phone company to a phone that rings, step by step.

mod ask;
mod credentials;
mod trial;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use call::Number;
use clap::builder::PossibleValuesParser;
use ports::account::{Numbers, OwnNumber, Routed, Takes};
use ports::carrier::Entry;
use ports::{Blame, Fault, Need, code};
use serde_json::json;
use url::Url;

use super::doctor;
use super::{Done, Out, expose, lists};
use crate::config::{self, Plan};
use crate::pointing;
use crate::tunnel::{Exposed, Tunnel};
use ask::Asker;
use write::{Answers, Draft, Public};

/// What would be asked otherwise.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The phone company.
    #[arg(long, value_name = "NAME")]
    carrier: Option<String>,
    /// A key of the carrier's, such as account_sid=AC…; a secret as env:NAME or file:PATH.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Which number of the account.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// An https address that leads to this machine.
    #[arg(long, value_name = "URL", conflicts_with = "expose")]
    public_url: Option<String>,
    /// The program that opens one.
    #[arg(long, value_parser = PossibleValuesParser::new(Tunnel::ALL.map(Tunnel::name)))]
    expose: Option<String>,
    /// Where to listen on this machine.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The kind of agent that answers.
    #[arg(long, value_name = "KIND")]
    agent: Option<String>,
    /// Your own phone: it may call and be called.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// The number's webhook may be changed, also if its calls go somewhere else now.
    #[arg(long)]
    point: bool,
    /// The test call may be made.
    #[arg(long, requires = "phone")]
    call: bool,
    /// A configuration that is there may be replaced; it is kept beside the new one.
    #[arg(long)]
    replace: bool,
    /// Ask nothing: what no flag says is a mistake, and what no flag allows is not done.
    #[arg(long)]
    non_interactive: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Asks, checks, writes, points and calls.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let asker = if args.non_interactive {
        Asker::Nobody
    } else {
        Asker::Input
    };
    let path = place(config);
    let exists = path.exists();
    let shown = path.display();
    let replace = format!("{shown} is there already. Replace it, and keep the old one beside it?");
    if exists && !asker.may("--replace", &replace, args.replace).await {
        let message = format!("{shown} is there already, and is left as it is");
        return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
            .hint("use --replace, or name another file with --config"));
    }
    let entry = carrier(args.carrier.as_deref(), asker, out).await?;
    let given: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let folder = write::folder(&path);
    let proven = credentials::prove(entry, &given, &folder, asker, out).await?;
    let numbers = proven.carrier.numbers.clone();
    let number = choose(numbers.as_deref(), args.number.as_deref(), asker, out).await?;
    let phone = phone(&args, asker).await?;
    let agent = agent(args.agent.as_deref())?;
    let mut opened = None;
    let (draft, plan) = loop {
        let public = public(&args, asker, out).await?;
        let answers = Answers {
            listen: args.listen,
            public: &public,
            carrier: entry.name,
            lines: &proven.lines,
            number: &number,
            agent,
            phone: phone.as_ref(),
        };
        let draft = Draft::write(&path, &answers.text(), &proven.secrets)?;
        match reach(draft.path(), &mut opened, out).await {
            Ok(plan) => break (draft, plan),
            Err(fault) if asker == Asker::Nobody || given_public(&args) => {
                let kept = draft.path().display();
                out.aside(format_args!("what was answered is kept in {kept}"));
                return Err(fault);
            }
            Err(fault) => out.fault(&fault),
        }
    };
    if let Some(kept) = draft.settle()? {
        out.line(format_args!(
            "the configuration before is kept in {}",
            kept.display()
        ));
    }
    out.line(format_args!("wrote {shown}"));
    let pointed = point(&plan, entry.name, &number, args.point, asker, out).await?;
    let went = test_call(&plan, &number, phone.as_ref(), &args, asker, out).await?;
    drop(opened);
    out.line(
        "next: `offhook serve`, and call your number; `offhook doctor` checks everything again",
    );
    out.json(&json!({
        "written": shown.to_string(),
        "carrier": entry.name,
        "number": number.as_str(),
        "public_url": plan.public_url,
        "pointed": pointed,
        "call": went,
    }));
    Ok(Done::Well)
}

/// Where the configuration goes: where `offhook init` would put it.
fn place(config: Option<PathBuf>) -> PathBuf {
    let named = std::env::var_os("OFFHOOK_CONFIG").filter(|it| !it.is_empty());
    let path = config.or(named.map(PathBuf::from));
    path.unwrap_or_else(|| PathBuf::from(config::FILE_NAME))
}

fn given_public(args: &Args) -> bool {
    args.public_url.is_some() || args.expose.is_some()
}

async fn carrier(
    given: Option<&str>,
    asker: Asker,
    out: &mut Out,
) -> Result<&'static Entry, Fault> {
    let all = lists().carriers;
    if given.is_none() && asker == Asker::Input {
        out.line("Which phone company is the account with?");
        for (at, entry) in all.iter().enumerate() {
            let required = entry.keys.iter().filter(|it| it.need == Need::Required);
            let needs: Vec<&str> = required.map(|it| it.name).collect();
            out.line(format_args!(
                "  {} {}: needs {}",
                at + 1,
                entry.name,
                needs.join(", ")
            ));
        }
    }
    let read = |text: &str| {
        let at = text.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
        let by_place = at.and_then(|it| all.get(it));
        let found = by_place.or_else(|| all.iter().find(|it| it.name == text));
        found.ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|it| it.name).collect();
            format!("there is {}", known.join(", "))
        })
    };
    asker
        .text(
            "--carrier",
            "Name, or its place on the list:",
            (given, None),
            read,
        )
        .await
}

/// One of the account's numbers that takes calls.
async fn choose(
    numbers: Option<&dyn Numbers>,
    given: Option<&str>,
    asker: Asker,
    out: &mut Out,
) -> Result<Number, Fault> {
    let parse = |text: &str| Number::parse(text).map_err(|why| why.to_string());
    let Some(numbers) = numbers else {
        return asker
            .text("--number", "Your number there:", (given, None), parse)
            .await;
    };
    if given.is_some() {
        let number = asker.text("--number", "", (given, None), parse).await?;
        return match numbers.find(&number).await? {
            Some(it) if it.takes == Takes::Calls => Ok(number),
            Some(_) => Err(not_ours(
                "that number is for messages, and takes no calls",
                numbers,
            )),
            None => Err(not_ours("that number is not this account's", numbers)),
        };
    }
    let all = loop {
        let all = numbers.list().await?;
        let all: Vec<OwnNumber> = all
            .into_iter()
            .filter(|it| it.takes == Takes::Calls)
            .collect();
        if !all.is_empty() {
            break all;
        }
        out.line("The account has no number for calls yet. To get one:");
        for step in numbers.to_buy() {
            out.line(format_args!("  - {step}"));
        }
        if !asker.wait("Press Enter once you have one:").await {
            return Err(not_ours("the account has no number for calls yet", numbers));
        }
    };
    out.line("Which number shall ring here?");
    for (at, it) in all.iter().enumerate() {
        let goes = match &it.routed {
            Routed::Here(there) => format!("asks {}", there.voice),
            Routed::Elsewhere(what) => format!("belongs to {what}"),
            Routed::Nowhere => "goes nowhere".to_owned(),
        };
        out.line(format_args!("  {} {}: {goes}", at + 1, it.number.as_str()));
    }
    let read = |text: &str| {
        let at = text.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
        let by_place = at.and_then(|it| all.get(it));
        let found = by_place.or_else(|| all.iter().find(|it| it.number.as_str() == text));
        found
            .map(|it| it.number.clone())
            .ok_or_else(|| "it is not on the list".to_owned())
    };
    let only = (all.len() == 1).then_some("1");
    asker
        .text(
            "--number",
            "Number, or its place on the list:",
            (None, only),
            read,
        )
        .await
}

fn not_ours(message: &str, numbers: &dyn Numbers) -> Fault {
    let steps = numbers.to_buy().join("; ");
    Fault::new(Blame::Config, code::CARRIER_NUMBER_NOT_OWNED, message)
        .hint(format!("to get one: {steps}"))
}

/// The owner's own phone; none is right, too.
async fn phone(args: &Args, asker: Asker) -> Result<Option<Number>, Fault> {
    let question =
        "Your own phone, which may then call and be called, as +15551234567; empty for none:";
    let read = |text: &str| match text {
        "" => Ok(None),
        text => Number::parse(text).map(Some).map_err(|why| why.to_string()),
    };
    asker
        .text("--phone", question, (args.phone.as_deref(), Some("")), read)
        .await
}

/// A kind of agent that needs nothing to be told.
fn agent(given: Option<&str>) -> Result<&'static str, Fault> {
    let ready = |it: &&ports::agent::Entry| it.keys.iter().all(|key| key.need == Need::Optional);
    let mut all = lists().agents.iter().filter(ready);
    let found = all
        .clone()
        .find(|it| given.is_none_or(|kind| it.kind == kind));
    found.map(|it| it.kind).ok_or_else(|| {
        let known: Vec<&str> = all.by_ref().map(|it| it.kind).collect();
        let message = "--agent: that kind needs more than a name, or there is none";
        let hint = format!(
            "use one of {} now, and write the other into the file",
            known.join(", ")
        );
        Fault::new(Blame::Config, code::CONFIG_INVALID, message).hint(hint)
    })
}

async fn public(args: &Args, asker: Asker, out: &mut Out) -> Result<Public, Fault> {
    let given = args.public_url.as_deref().or(args.expose.as_deref());
    let installed = expose::installed();
    if given.is_none() && asker == Asker::Input {
        out.line("How do carriers reach this machine? By an https address that leads here, or by a tunnel:");
        for tunnel in Tunnel::ALL {
            let how = match tunnel.program() {
                Some(_) => "installed",
                None => tunnel.to_install(),
            };
            out.line(format_args!("  {}: {how}", tunnel.name()));
        }
    }
    let read = |text: &str| match Tunnel::named(text) {
        Some(tunnel) => Ok(Public::Through(tunnel)),
        None => address(text).map(Public::At),
    };
    let or = installed.ok().map(Tunnel::name);
    asker
        .text(
            "--public-url or --expose",
            "Address, or tunnel:",
            (given, or),
            read,
        )
        .await
}

fn address(text: &str) -> Result<String, String> {
    let url = Url::parse(text)
        .map_err(|why| format!("that is neither an address nor a tunnel: {why}"))?;
    if !matches!(url.scheme(), "http" | "https")
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("write it like https://voice.example.com".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Opens the tunnel, if that is how, and sees whether the address leads here and leaves alone what
/// comes through it.
async fn reach(path: &Path, opened: &mut Option<Exposed>, out: &mut Out) -> Result<Plan, Fault> {
    let loaded = config::load(path, &lists()).map_err(|problems| {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        Fault::new(Blame::Config, code::CONFIG_INVALID, first)
    })?;
    let mut plan = loaded.plan;
    *opened = None;
    if let Some(tunnel) = plan.expose {
        out.line(format_args!("opening a tunnel with {} …", tunnel.name()));
        let mut exposed = Exposed::begin(tunnel, plan.listen)?;
        plan.public_url = exposed.address(tunnel).await?;
        *opened = Some(exposed);
    }
    for finding in doctor::public::examine_patiently(&plan).await {
        out.line(finding.render());
        if finding.health == doctor::Health::Fail {
            let fault = Fault::new(Blame::Config, code::EXPOSE_SHUT, finding.message);
            return Err(fault.hint(finding.hint.unwrap_or_default()));
        }
    }
    Ok(plan)
}

/// Points the number here, if it may be; what became of it, in a word.
async fn point(
    plan: &Plan,
    name: &str,
    number: &Number,
    given: bool,
    asker: Asker,
    out: &mut Out,
) -> Result<&'static str, Fault> {
    let Some(numbers) = plan.carriers.get(name).and_then(|it| it.numbers.clone()) else {
        return Ok("left");
    };
    let to = pointing::addresses(&plan.public_url, name);
    let now = match numbers.find(number).await?.map(|it| it.routed) {
        Some(Routed::Here(there)) if pointing::is_at(&there, &to) => {
            out.line(format_args!(
                "calls to {} are asked about here",
                number.as_str()
            ));
            return Ok("already");
        }
        Some(Routed::Here(there)) => format!("asks {} now", there.voice),
        Some(Routed::Elsewhere(what)) => format!("belongs to {what} now"),
        Some(Routed::Nowhere) | None => "goes nowhere now".to_owned(),
    };
    let question = format!("{} {now}. Have it ask {}?", number.as_str(), to.voice);
    if !asker.may("--point", &question, given).await {
        out.line(format_args!(
            "{} {now}, and is left so; --point changes it",
            number.as_str()
        ));
        return Ok("left");
    }
    numbers.point(number, &to).await?;
    out.line(format_args!(
        "calls to {} are asked about at {}",
        number.as_str(),
        to.voice
    ));
    Ok("now")
}

/// Calls the owner's phone, if it may be called; how that went, in a word.
async fn test_call(
    plan: &Plan,
    number: &Number,
    phone: Option<&Number>,
    args: &Args,
    asker: Asker,
    out: &mut Out,
) -> Result<&'static str, Fault> {
    let Some(phone) = phone else {
        return Ok("none");
    };
    let what = format!(
        "A test call: {} rings, called from {}, and says back what you say, for 30 s at most. The \
         carrier charges for it as for any call.",
        phone.as_str(),
        number.as_str()
    );
    out.line(&what);
    if !asker.may("--call", "Call now?", args.call).await {
        return Ok("none");
    }
    let went = trial::call(plan.clone(), number, phone, out).await?;
    Ok(went.word())
}
