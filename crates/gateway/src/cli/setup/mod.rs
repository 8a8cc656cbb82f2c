//! `offhook setup`: from an account with a phone company to a phone that rings, step by step.

mod ask;
mod credentials;
mod questions;
mod trial;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use call::Number;
use clap::builder::PossibleValuesParser;
use ports::account::Routed;
use ports::{Blame, Fault, code};
use serde_json::json;

use super::doctor;
use super::{Done, Out, lists};
use crate::config::{self, Plan};
use crate::pointing;
use crate::tunnel::{Exposed, Tunnel};
use ask::Asker;
use write::{Answers, Draft};

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
    let entry = questions::carrier(args.carrier.as_deref(), asker, out).await?;
    let given: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let folder = write::folder(&path);
    let proven = credentials::prove(entry, &given, &folder, asker, out).await?;
    let numbers = proven.carrier.numbers.clone();
    let number = questions::choose(numbers.as_deref(), args.number.as_deref(), asker, out).await?;
    let phone = questions::phone(&args, asker).await?;
    let agent = questions::agent(args.agent.as_deref())?;
    let mut opened = None;
    let (draft, plan) = loop {
        let public = questions::public(&args, asker, out).await?;
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
    let pointed = point(&plan, (entry.name, &number), args.point, asker, out).await?;
    let went = test_call(&plan, (&number, phone.as_ref()), args.call, asker, out).await?;
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
    // One that was opened before leads nowhere.
    *opened = None;
    if let Some(tunnel) = plan.expose {
        out.line(format_args!("opening a tunnel with {} …", tunnel.name()));
    }
    *opened = pointing::open(&mut plan).await?;
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
    (name, number): (&str, &Number),
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
    (number, phone): (&Number, Option<&Number>),
    given: bool,
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
    if !asker.may("--call", "Call now?", given).await {
        return Ok("none");
    }
    let went = trial::call(plan.clone(), number, phone, out).await?;
    Ok(went.word())
}
