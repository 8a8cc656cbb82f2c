//! `[recordings]`: who records calls, and where that goes.

use std::collections::BTreeMap;

use call::Number;
use policy::Rules;
use ports::carrier::Carrier;

use super::check::{Built, Named};
use super::file::File;
use super::plan::{By, Consent, Destination, OurNumber, Recorder, Recordings, TransferPlan};
use super::plug;
use super::problem::{Findings, Place};
use super::section::{Section, Spot};

/// Reads the table. Every carrier that has a number of ours must be able to do what it asks for.
pub(super) fn recordings(
    mut section: Section<'_>,
    file: &File,
    (numbers, carriers, transfers): (
        &BTreeMap<Number, OurNumber>,
        &Named<Carrier>,
        &BTreeMap<String, TransferPlan>,
    ),
    found: &mut Findings,
) -> Option<Recordings> {
    let dir = section.text("dir", found);
    let by = section.text("by", found);
    let consent = section.text("consent", found);
    if section.place != Place::Table(section.name.clone()) {
        section.require("dir", "say which folder: `dir = \"recordings\"`", found);
    }
    section.close(found);
    if let Some(by) = by.as_ref().filter(|it| it.value == "carrier") {
        keep_others_off(by, consent.as_ref(), transfers, found);
    }
    let by = by.map_or(Recorder::Gateway, |it| {
        recorder(
            &it,
            found,
            |name| {
                let has = |it: &Built<Carrier>| match it {
                    Built::Well(carrier) => carrier.recordings.is_some(),
                    Built::Badly => true,
                };
                carriers.get(name).is_none_or(has)
            },
            numbers,
        )
    });
    let consent = consent.map_or(Consent::Announce, |it| consent_of(&it, found));
    let dir = dir?;
    if dir.value.starts_with('~') {
        let message = "`~` means nothing in `dir` in [recordings]";
        found.problem(
            dir.place(),
            message,
            "write the whole path of your home folder",
        );
        return None;
    }
    Some(Recordings {
        dir: file.folder.join(dir.value),
        by,
        consent,
    })
}

fn consent_of(written: &Spot<&str>, found: &mut Findings) -> Consent {
    match written.value {
        "announce" => Consent::Announce,
        "ask" => Consent::Ask,
        other => {
            let message = format!(
                "`consent` in [recordings] cannot be `{}`",
                plug::shown(other)
            );
            let hint = "\"announce\" tells everyone that the call is recorded, \"ask\" asks first";
            found.problem(written.place(), message, hint);
            Consent::Ask
        }
    }
}

/// A carrier records what it is told to record, and no keys of a PIN may be in that.
pub(super) fn keep_pins_off(recordings: Option<&Recordings>, rules: &Rules, found: &mut Findings) {
    if recordings.is_some_and(|it| it.by == Recorder::Carrier) && rules.has_pins() {
        let message = "`by = \"carrier\"` in [recordings] has the phone company record the keys of every `pin`";
        let hint = "remove `by`: our own recordings are silent while a PIN is keyed";
        found.problem(Place::Table("[recordings]".to_owned()), message, hint);
    }
}

/// A carrier's recording has no end before the call's, and holds whoever can be heard on it. So nobody may be heard
/// there who was told nothing, as those to whom the carrier itself puts callers through; nor anybody who was asked and
/// did not say yes. Where they are only told, all who come to a table of ours are, each on their own call.
fn keep_others_off(
    by: &Spot<&str>,
    consent: Option<&Spot<&str>>,
    transfers: &BTreeMap<String, TransferPlan>,
    found: &mut Findings,
) {
    for (name, plan) in transfers {
        let where_we_are_not = match &plan.to {
            Destination::Conference(_) => true,
            Destination::Phone(phone) => match phone.by {
                By::Carrier => true,
                By::Gateway { .. } => false,
            },
        };
        if where_we_are_not {
            let title = plug::title("transfers", name);
            let message = format!(
                "`by = \"carrier\"` in [recordings] goes on where the phone company puts a caller through by {title}, and nobody \
                 there was told"
            );
            let hint = "remove `by` from [recordings]: our own recordings end there; or have a `number` called `by = \"gateway\"`";
            found.problem(by.place(), message, hint);
        }
    }
    // A table can be opened at any time, and some of those who come to it may say no.
    if let Some(consent) = consent.filter(|it| it.value == "ask") {
        let message = "`consent = \"ask\"` in [recordings] cannot be kept by the phone company: where several talk, it records those too who said no";
        let hint = "remove `by`: our own recordings leave out everyone who did not say yes";
        found.problem(consent.place(), message, hint);
    }
}

fn recorder(
    written: &Spot<&str>,
    found: &mut Findings,
    records: impl Fn(&str) -> bool,
    numbers: &BTreeMap<Number, OurNumber>,
) -> Recorder {
    match written.value {
        "gateway" => Recorder::Gateway,
        "carrier" => {
            let mut carriers = numbers.values().map(|it| it.carrier.as_str());
            if let Some(without) = carriers.find(|it| !records(it)) {
                let without = plug::shown(without);
                let message = format!("the carrier `{without}` records no calls by itself");
                found.problem(written.place(), message, "remove `by` from [recordings]");
            }
            Recorder::Carrier
        }
        other => {
            let message = format!("`by` in [recordings] cannot be `{}`", plug::shown(other));
            let hint =
                "\"gateway\" records what comes here, \"carrier\" has the phone company do it";
            found.problem(written.place(), message, hint);
            Recorder::Gateway
        }
    }
}
