//! The questions: which carrier, which number, whose phone, who answers, by which address.

use call::Number;
use ports::account::{Numbers, OwnNumber, Routed, Takes};
use ports::carrier::Entry;
use ports::{Blame, Fault, Need, code};
use url::Url;

use super::Args;
use super::ask::Asker;
use super::write::Public;
use crate::cli::{Out, expose, lists};
use crate::tunnel::Tunnel;

pub(super) async fn carrier(
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
pub(super) async fn choose(
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
pub(super) async fn phone(args: &Args, asker: Asker) -> Result<Option<Number>, Fault> {
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
pub(super) fn agent(given: Option<&str>) -> Result<&'static str, Fault> {
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

pub(super) async fn public(args: &Args, asker: Asker, out: &mut Out) -> Result<Public, Fault> {
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
