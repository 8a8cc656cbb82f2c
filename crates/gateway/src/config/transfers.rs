//! `[transfers.NAME]`: whom callers can be put through to. Always by name: no agent ever says digits.

use std::collections::BTreeMap;
use std::time::Duration;

use call::Number;
use call::meeting::After;
use policy::{Known, Power};
use ports::agent::Answerer;
use ports::carrier::Carrier;

use super::check::{Built, Named};
use super::plan::{AgentThen, By, Destination, OurNumber, PhonePlan, Rules, TransferPlan};
use super::plug;
use super::problem::{Findings, Place};
use super::section::{Section, Spot, nearest};
use super::trust::trust;

/// The tables as written: what is wrong with one is a problem, and its name is known all the same.
pub(super) type Written = BTreeMap<String, (Place, Option<TransferPlan>)>;

/// Reads the tables.
pub(super) fn read(root: &mut Section<'_>, found: &mut Findings) -> Written {
    let mut transfers = Written::new();
    let title = |name: &str| plug::title("transfers", name);
    for (name, mut section) in root.sections("transfers", title, found) {
        plug::check_name(name, &section, found);
        let spoken = section.text("spoken", found);
        let room = section.text("conference", found);
        let trust = trust(section.text("trust", found), Power::PutThrough, found);
        let (to, patience) = if section.has("conference") {
            (conference(room, &mut section, found), ARRIVAL)
        } else {
            phone(&mut section, found)
        };
        let place = section.place.clone();
        section.close(found);
        let plan = to.map(|to| TransferPlan {
            to,
            spoken: spoken.map_or_else(|| name.to_owned(), |it| it.value.to_owned()),
            patience,
            trust,
        });
        transfers.insert(name.to_owned(), (place, plan));
    }
    transfers
}

/// Someone's phone, and how long they may take to pick it up.
fn phone(section: &mut Section<'_>, found: &mut Findings) -> (Option<Destination>, Duration) {
    let number = number("number", section, found);
    section.require(
        "number",
        "write whom to call: `number = \"+15551234567\"`, or which room of the phone company's it is: \
         `conference = \"standup\"`",
        found,
    );
    let from = self::number("from", section, found);
    let wait = section.number("wait_seconds", 10..=120, found);
    let after = section.text("after", found);
    let agent = section.text("agent", found);
    let by = by(section.text("by", found), (after, agent), found);
    let wait = wait.map_or(DEFAULT_WAIT, |it| Duration::from_secs(it.value));
    let phone = number.map(|number| Destination::Phone(PhonePlan { number, from, by }));
    (phone, wait)
}

/// A room of the carrier's. It is nobody's phone, so what is said of phones means nothing.
fn conference(
    name: Option<Spot<&str>>,
    section: &mut Section<'_>,
    found: &mut Findings,
) -> Option<Destination> {
    let within = section.within();
    let mut stray = Vec::new();
    for key in ["number", "from", "after", "agent"] {
        stray.extend(section.text(key, found).map(|it| (key, it.place())));
    }
    let wait = section.number("wait_seconds", 10..=120, found);
    stray.extend(wait.map(|it| ("wait_seconds", it.place())));
    let mut alone = stray.is_empty();
    for (key, place) in stray {
        let message =
            format!("`{key}`{within} means nothing beside `conference`, which calls nobody");
        found.problem(place, message, format!("remove `{key}`, or `conference`"));
    }
    let by = section.text("by", found);
    if let Some(by) = by.filter(|it| it.value != "carrier") {
        alone = false;
        let message = format!(
            "a conference{within} cannot be `by = \"{}\"`: the phone company keeps it",
            plug::shown(by.value)
        );
        found.problem(by.place(), message, "remove `by`");
    }
    let name = name?;
    if !is_room(name.value) {
        let message = format!("`conference`{within} is not the name of a room");
        let hint = "write 1 to 64 letters, digits, spaces, `-` and `_`";
        found.problem(name.place(), message, hint);
        return None;
    }
    alone.then(|| Destination::Conference(name.value.to_owned()))
}

fn is_room(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b" -_".contains(&it);
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && name.trim() == name
}

/// Looks whether they may be called, and from where.
pub(super) fn check(
    written: Written,
    rules: &Rules,
    (numbers, carriers): (&BTreeMap<Number, OurNumber>, &Named<Carrier>),
    found: &mut Findings,
) -> BTreeMap<String, TransferPlan> {
    let mut transfers = BTreeMap::new();
    // Those who call one of our numbers may be put through, whichever it is.
    let without = |has: fn(&Carrier) -> bool| {
        let lacks = |it: &&str| match carriers.get(*it) {
            Some(Built::Well(carrier)) => !has(carrier),
            Some(Built::Badly) | None => false,
        };
        let mut names = numbers.values().map(|it| it.carrier.as_str());
        names.find(lacks).map(plug::shown)
    };
    for (name, (place, plan)) in written {
        let Some(plan) = plan else {
            continue;
        };
        let title = plug::title("transfers", &name);
        match &plan.to {
            Destination::Conference(_) => {
                if let Some(carrier) = without(|it| it.conferences.is_some()) {
                    let message = format!(
                        "the carrier `{carrier}` keeps no conferences, and callers of {title} may be its own"
                    );
                    found.problem(place, message, "name a `number` instead of `conference`");
                }
            }
            Destination::Phone(phone) => {
                check_phone(phone, &title, (rules, numbers), &place, found);
                if let (By::Carrier, Some(carrier)) =
                    (phone.by, without(|it| it.transfers.is_some()))
                {
                    let message = format!(
                        "the carrier `{carrier}` puts nobody through by itself, and callers of {title} may be its own"
                    );
                    found.problem(place, message, "remove `by`");
                }
            }
        }
        transfers.insert(name, plan);
    }
    transfers
}

fn check_phone(
    phone: &PhonePlan,
    title: &str,
    (rules, numbers): (&Rules, &BTreeMap<Number, OurNumber>),
    place: &Place,
    found: &mut Findings,
) {
    if rules.entry(&Known::of(&phone.number)).is_err() {
        let message = format!("{title} names a number that may not be called");
        found.problem(place.clone(), message, "add it to `call` in [policy]");
    }
    let from = phone.from.as_ref();
    if from.is_some_and(|it| !numbers.contains_key(it)) {
        let message = format!("`from` in {title} is not one of our numbers");
        let hint = "name one that has a [numbers.…] table";
        found.problem(place.clone(), message, hint);
    }
}

/// Whom an agent may put callers through to.
pub(super) fn of_agent(
    answerer: Option<&Answerer>,
    listed: Option<Spot<Vec<Spot<&str>>>>,
    written: &Written,
    found: &mut Findings,
) -> Vec<String> {
    let Some(listed) = listed else {
        return Vec::new();
    };
    if let Some(Answerer::Loopback) = answerer {
        let message = "this kind of agent gives back the caller's sound and asks for nothing";
        found.problem(listed.place(), message, "remove `transfer_to`");
    }
    for name in &listed.value {
        if !written.contains_key(name.value) {
            let message = format!(
                "`transfer_to` names a [transfers.…] table that is not there, `{}`",
                plug::shown(name.value)
            );
            let known = written.keys().map(String::as_str);
            found.problem(name.place(), message, nearest(name.value, known));
        }
    }
    listed.value.iter().map(|it| it.value.to_owned()).collect()
}

fn number(key: &'static str, section: &mut Section<'_>, found: &mut Findings) -> Option<Number> {
    let written = section.text(key, found)?;
    let number = Number::parse(written.value);
    if let Err(fault) = &number {
        let message = format!(
            "`{key}`{} is not a number to call: {fault}",
            section.within()
        );
        let hint = "write it in E.164 form, such as \"+15551234567\"";
        found.problem(written.place(), message, hint);
    }
    number.ok()
}

fn by(
    written: Option<Spot<&str>>,
    (after, agent): (Option<Spot<&str>>, Option<Spot<&str>>),
    found: &mut Findings,
) -> By {
    match written.as_ref().map(|it| it.value) {
        None | Some("gateway") => By::Gateway {
            after: self::after(after, found),
            agent: self::agent(agent, found),
        },
        Some("carrier") => by_carrier(after, agent, found),
        Some(other) => {
            let place = written.map_or(Place::File, |it| it.place());
            let message = format!("`by` cannot be `{}`", plug::shown(other));
            let hint = "\"gateway\" asks the other one first and stays on the line, \"carrier\" has the phone company do it";
            found.problem(place, message, hint);
            USUAL
        }
    }
}

fn by_carrier(after: Option<Spot<&str>>, agent: Option<Spot<&str>>, found: &mut Findings) -> By {
    let mut by = By::Carrier;
    if let Some(after) = after.filter(|it| it.value != "end") {
        let message = "a caller whom the carrier puts through does not come back";
        let hint = "remove `after`, or have it done `by = \"gateway\"`";
        found.problem(after.place(), message, hint);
        by = USUAL;
    }
    if let Some(agent) = agent.filter(|it| it.value != "leaves") {
        let message = "nobody sits with a caller whom the carrier puts through";
        let hint = "remove `agent`, or have it done `by = \"gateway\"`";
        found.problem(agent.place(), message, hint);
        by = USUAL;
    }
    by
}

fn agent(written: Option<Spot<&str>>, found: &mut Findings) -> AgentThen {
    match written.as_ref().map(|it| it.value) {
        None | Some("leaves") => AgentThen::Leaves,
        Some("listens") => AgentThen::Listens,
        Some("stays") => AgentThen::Stays,
        Some(other) => {
            let place = written.map_or(Place::File, |it| it.place());
            let message = format!("`agent` cannot be `{}`", plug::shown(other));
            let hint = "\"leaves\" has the agent leave the two alone, \"listens\" sit with them in silence, \"stays\" sit and talk with them";
            found.problem(place, message, hint);
            AgentThen::Leaves
        }
    }
}

fn after(written: Option<Spot<&str>>, found: &mut Findings) -> After {
    match written.as_ref().map(|it| it.value) {
        None | Some("end") => After::End,
        Some("return") => After::Return,
        Some(other) => {
            let place = written.map_or(Place::File, |it| it.place());
            let message = format!("`after` cannot be `{}`", plug::shown(other));
            let hint = "\"end\" hangs up on the caller when the other one does, \"return\" gives them back to the agent";
            found.problem(place, message, hint);
            After::End
        }
    }
}

/// How long someone may take to pick up and say that they will, unless it is written.
const DEFAULT_WAIT: Duration = Duration::from_secs(45);

/// How it is done unless it is written.
const USUAL: By = By::Gateway {
    after: After::End,
    agent: AgentThen::Leaves,
};

/// How long a carrier may take to let someone into a room: nobody has to pick up.
const ARRIVAL: Duration = Duration::from_secs(10);
