//! `[disclosure]`: who hears what before anything is said.

use std::collections::BTreeMap;

use policy::Country;

use super::plan::{Disclosed, Disclosure};
use super::plug;
use super::problem::Findings;
use super::section::{Section, Spot};

/// Reads the table. There is nothing in it that switches the disclosure off.
pub(super) fn disclosure(mut section: Section<'_>, found: &mut Findings) -> Disclosure {
    let to = section.text("to", found);
    let mut said = |key, default: &str| {
        let text = section.text(key, found).filter(|it| has_words(it, found));
        text.map_or(default, |it| it.value).to_owned()
    };
    let text = said("text", TEXT);
    let opt_out = said("opt_out", OPT_OUT);
    let recorded = said("recorded", RECORDED);
    let ask = said("ask", ASK);
    let mut abroad = section.section("regions", found);
    abroad.name = "[disclosure.regions]".to_owned();
    let regions = regions(abroad, found);
    section.close(found);
    let to = to.map_or(Disclosed::Others, |it| match it.value {
        "others" => Disclosed::Others,
        "everybody" => Disclosed::Everybody,
        other => {
            let message = format!("`to` in [disclosure] cannot be `{}`", plug::shown(other));
            let hint =
                "write \"others\", which is everyone but the `owner` in [policy], or \"everybody\"";
            found.problem(it.place(), message, hint);
            Disclosed::Everybody
        }
    });
    Disclosure {
        to,
        text,
        regions,
        opt_out,
        recorded,
        ask,
    }
}

fn regions(section: Section<'_>, found: &mut Findings) -> BTreeMap<Country, String> {
    let mut regions = BTreeMap::new();
    for (key, text) in section.texts(found) {
        let Some(country) = Country::parse(key.value) else {
            let message = format!(
                "`{}` in [disclosure.regions] is not a country",
                plug::shown(key.value)
            );
            let hint = "write its two capital letters: `DE = \"…\"`";
            found.problem(key.place(), message, hint);
            continue;
        };
        if has_words(&text, found) {
            regions.insert(country, text.value.to_owned());
        }
    }
    regions
}

/// What cannot be spoken tells nobody anything.
fn has_words(text: &Spot<&str>, found: &mut Findings) -> bool {
    let spoken = !call::clauses(text.value).is_empty();
    if !spoken {
        let message = "there are no words in it that could be spoken";
        found.problem(text.place(), message, "write a sentence");
    }
    spoken
}

/// The defaults, as `offhook init` shows them.
pub(crate) const TEXT: &str = "Hello. You are speaking with an AI assistant.";
pub(crate) const OPT_OUT: &str = "To not be called again, press {key}.";
pub(crate) const RECORDED: &str = "This call is recorded.";
pub(crate) const ASK: &str = "May this call be recorded? Say yes, or press 1.";
