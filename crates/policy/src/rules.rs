use std::collections::BTreeSet;
use std::time::Duration;

use call::{Digit, Direction, Number};
use jiff::Timestamp;

use crate::asks::{Approve, Asks, Consent, Lacking, is_burst};
use crate::hours::Hours;
use crate::kind::{Kind, Known};
use crate::limits::{Limits, Standing};
use crate::money::{Money, Rates};
use crate::pin::Pin;
use crate::refusal::Refusal;
use crate::trust::shown;
use crate::whom::{Entry, Listed, Whom};
use crate::zone::Zones;

/// Who may be called, who may call, when and how much. Nothing is allowed that is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whom we may dial, and where that is said.
    pub call: Listed<Whom>,
    /// When, if the owner said so for everybody. Those who are not named are called at
    /// [`Hours::USUAL`] hours without it, and those who are at any time.
    pub hours: Option<Listed<Hours>>,
    /// Our own numbers.
    pub ours: BTreeSet<Number>,
    /// The owner's own phones. That they are says nothing of whether they may be called, or may call.
    pub owner: BTreeSet<Number>,
    /// Whether those may be dialled.
    pub call_own: Listed<bool>,
    /// Who may reach us.
    pub answer: Listed<Callers>,
    /// Whether those who may not may ask to, by a code that the owner made.
    pub pairing: bool,
    /// How many calls may be up at once.
    pub max_calls: Listed<usize>,
    /// How long a call may last.
    pub max_length: Listed<Duration>,
    /// How many calls may be dialled in any hour.
    pub calls_per_hour: Listed<usize>,
    /// How many numbers that no line names may be dialled for the first time within
    /// [`BURST`](crate::BURST), before the owner is asked.
    pub new_numbers: Listed<usize>,
    /// Whether whoever is called must have agreed to it.
    pub consent: Listed<Consent>,
    /// About which calls the owner is asked first.
    pub approve: Listed<Approve>,
    /// The key that people press who are not to be called any more.
    pub opt_out_key: Option<Digit>,
    /// What whoever calls may key to prove who they are.
    pub pin: Option<Pin>,
    /// What calls cost.
    pub rates: Rates,
    /// What may be spent on them.
    pub limits: Limits,
}

/// Who may reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Anyone, also those who hide their number.
    Any,
    /// These numbers, exactly. Empty: nobody.
    These(BTreeSet<Number>),
}

/// How things stand when someone asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The moment.
    pub at: Timestamp,
    /// How many calls are up.
    pub up: usize,
    /// What was dialled and spent until then.
    pub standing: Standing,
}

/// A call that may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Whom to dial.
    pub number: Number,
    /// Which rule allows it, and where it stands.
    pub rule: String,
    /// What it can cost at most.
    pub ceiling: Money,
    /// What a minute of it costs.
    pub rate: Money,
}

/// When a number may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At any time.
    Always,
    /// At these hours.
    At {
        /// By the clocks there.
        hours: Hours,
        /// Where that is said; `None`: it is what is usual.
        at: Option<String>,
        /// Whose clocks.
        zones: Zones,
    },
}

impl Rules {
    /// Whether `to` may be dialled now. `to` is as someone wrote it: a number, or a contact's name.
    ///
    /// # Errors
    /// The first rule that refuses it: what the number is, whom the owner lets be called, the hour,
    /// how many calls there are.
    pub fn may_dial(&self, to: &str, now: Now) -> Result<Permit, Refusal> {
        let (known, entry) = self.wanted(to, &now.standing)?;
        self.agreed(&known.number, entry, &now.standing)?;
        self.awake(&known.number, entry, now.at)?;
        self.room(now.up)?;
        self.seldom(&known.number, &now.standing)?;
        let (ceiling, rule) = (self.ceiling(&known), entry.rule());
        let fits = self.limits.fit(&now.standing, ceiling);
        fits.map_err(|beyond| Refusal::TooDear { ceiling, beyond })?;
        // Last: only what nothing else speaks against is worth asking about.
        self.said_yes(&known.number, entry, &now.standing)?;
        Ok(Permit {
            rule,
            ceiling,
            rate: self.rates.per_minute(&known),
            number: known.number,
        })
    }

    /// Whether somebody whose call was allowed may be dialled still, now that they are: as who they are, as they
    /// want it themselves, and at this hour. What was set aside and counted for the call stands.
    ///
    /// # Errors
    /// The first rule that refuses it.
    pub fn may_still_dial(
        &self,
        to: &Number,
        at: Timestamp,
        standing: &Standing,
    ) -> Result<(), Refusal> {
        let (known, entry) = self.wanted(to.as_str(), standing)?;
        self.awake(&known.number, entry, at)
    }

    /// Who is meant, and the line that lets them be called, if neither the owner nor they have stopped that.
    fn wanted(&self, to: &str, standing: &Standing) -> Result<(Known, Entry<'_>), Refusal> {
        if standing.stopped {
            return Err(Refusal::Stopped);
        }
        let known = self.known(to)?;
        let entry = self.entry(&known)?;
        if standing.unwanted {
            return Err(Refusal::Unwanted { to: known.number });
        }
        Ok((known, entry))
    }

    /// What is known of the number that someone means, if it is of a kind that may be dialled.
    ///
    /// # Errors
    /// It is no number, or is of a kind that never is.
    pub fn known(&self, to: &str) -> Result<Known, Refusal> {
        let to = Number::parse(self.call.value.meant(to)).map_err(Refusal::NotANumber)?;
        let known = Known::of(&to);
        match known.kind {
            Kind::Dangerous(danger) => Err(Refusal::Dangerous { to, danger }),
            Kind::Landline
            | Kind::Mobile
            | Kind::LandlineOrMobile
            | Kind::Voip
            | Kind::TollFree
            | Kind::Company
            | Kind::Voicemail
            | Kind::Fictitious => Ok(known),
        }
    }

    /// The line that lets a number be called.
    ///
    /// # Errors
    /// There is none, or the number is one of ours.
    pub fn entry(&self, known: &Known) -> Result<Entry<'_>, Refusal> {
        let to = || known.number.clone();
        let entry = self.call.value.entry(known);
        let entry = entry.ok_or_else(|| Refusal::MayNotDial {
            to: to(),
            at: self.call.at.clone(),
        })?;
        if self.ours.contains(&known.number) && !self.call_own.value {
            let at = self.call_own.at.clone();
            return Err(Refusal::Ours { to: to(), at });
        }
        Ok(entry)
    }

    /// When a number may be called that this line lets be called.
    pub fn when(&self, number: &Number, entry: Entry<'_>) -> When {
        let own = match entry {
            Entry::Contact(_, it) => it.value.hours.as_ref(),
            Entry::Number(_) | Entry::Class(_) => None,
        };
        let (hours, at) = match (own.or(self.hours.as_ref()), entry) {
            (Some(said), _) => (said.value, Some(said.at.clone())),
            (None, Entry::Class(_)) => (Hours::USUAL, None),
            (None, Entry::Contact(..) | Entry::Number(_)) => return When::Always,
        };
        let zones = entry.zones(number);
        When::At { hours, at, zones }
    }

    /// What a call to this number can cost at most: its carrier ends it [`OVERRUN`] after we should have.
    pub fn ceiling(&self, known: &Known) -> Money {
        let longest = self.limit().saturating_add(OVERRUN);
        self.rates.per_minute(known).for_call(longest)
    }

    fn seldom(&self, to: &Number, standing: &Standing) -> Result<(), Refusal> {
        if standing.dialled >= self.calls_per_hour.value {
            let (most, at) = (self.calls_per_hour.value, self.calls_per_hour.at.clone());
            return Err(Refusal::TooOften { most, at });
        }
        let each = &self.limits.calls_per_number;
        if standing.to_number >= each.value {
            let (to, most, at) = (to.clone(), each.value, each.at.clone());
            return Err(Refusal::TooOftenTo { to, most, at });
        }
        Ok(())
    }

    /// What somebody who is called has agreed to, as the owner wrote it down.
    pub fn consent_of(&self, known: &Known) -> Option<&str> {
        match self.call.value.entry(known)? {
            Entry::Contact(_, it) => it.value.consent.as_deref(),
            Entry::Number(_) | Entry::Class(_) => None,
        }
    }

    /// Whether it is known what the call is for, and that they agreed, where that is wanted.
    fn agreed(&self, to: &Number, entry: Entry<'_>, standing: &Standing) -> Result<(), Refusal> {
        match self.consent.value {
            Consent::Recorded => return Ok(()),
            Consent::Required if self.is_owner(Some(to)) => return Ok(()),
            Consent::Required => {}
        }
        let agreed = match entry {
            Entry::Contact(_, it) => it.value.consent.is_some(),
            Entry::Number(_) | Entry::Class(_) => false,
        };
        let lacks = match (agreed, standing.purposeful) {
            (true, true) => return Ok(()),
            (false, _) => Lacking::Consent,
            (true, false) => Lacking::Purpose,
        };
        let (to, at) = (to.clone(), self.consent.at.clone());
        Err(Refusal::NoConsent { to, lacks, at })
    }

    /// Whether the owner need not be asked, or was.
    fn said_yes(&self, to: &Number, entry: Entry<'_>, standing: &Standing) -> Result<(), Refusal> {
        if standing.approved {
            return Ok(());
        }
        let (approve, most) = (&self.approve, &self.new_numbers);
        let asks = if approve.value.asks(entry, standing) {
            let at = approve.at.clone();
            Asks::Approve { at }
        } else if is_burst(entry, standing, (most, &self.limits)) {
            let (most, at) = (most.value, most.at.clone());
            Asks::Burst { most, at }
        } else {
            return Ok(());
        };
        let to = to.clone();
        Err(Refusal::AsksFirst { to, asks })
    }

    fn awake(&self, number: &Number, entry: Entry<'_>, now: Timestamp) -> Result<(), Refusal> {
        let (hours, at, zones) = match self.when(number, entry) {
            When::Always => return Ok(()),
            When::At { hours, at, zones } => (hours, at, zones),
        };
        if hours.allow(&zones, now) {
            return Ok(());
        }
        Err(Refusal::WrongTime {
            to: number.clone(),
            hours,
            at,
            next: hours.next(&zones, now),
        })
    }

    /// Whether a caller may reach us while `up` calls are up, and by which number they are known.
    /// `from` is as the carrier wrote it: perhaps empty, perhaps `anonymous`, perhaps anything.
    ///
    /// # Errors
    /// They are not on the list, or hide, or there are too many calls.
    pub fn may_answer(&self, from: &str, up: usize) -> Result<Option<Number>, Refusal> {
        let from = shown(from);
        let at = || self.answer.at.clone();
        match (&self.answer.value, &from) {
            (Callers::Any, _) => {}
            (Callers::These(_), None) => return Err(Refusal::Hidden { at: at() }),
            (Callers::These(numbers), Some(from)) if !numbers.contains(from) => {
                return Err(Refusal::MayNotCall {
                    from: from.clone(),
                    at: at(),
                });
            }
            (Callers::These(_), Some(_)) => {}
        }
        self.room(up)?;
        Ok(from)
    }

    /// Whether somebody who is not on the list may come as one who was paired, or to ask for that, and by which
    /// number.
    ///
    /// # Errors
    /// Nobody may, or they hide, or there are too many calls.
    pub fn may_pair(&self, from: &str, up: usize) -> Result<Number, Refusal> {
        let at = || self.answer.at.clone();
        let from = shown(from).ok_or_else(|| Refusal::Hidden { at: at() })?;
        if !self.pairing {
            return Err(Refusal::MayNotCall { from, at: at() });
        }
        self.room(up)?;
        Ok(from)
    }

    /// Which rule lets those in who were paired, and where it stands.
    pub fn lets_pair(&self) -> String {
        format!("\"pairing\" under `answer` in [policy], {}", self.answer.at)
    }

    /// Which rule lets callers in, and where it stands.
    pub fn lets_in(&self) -> String {
        match &self.answer.value {
            Callers::Any => format!("\"any\" under `answer` in [policy], {}", self.answer.at),
            Callers::These(_) => format!("`answer` in [policy], {}", self.answer.at),
        }
    }

    /// Whether a call that is up may go on: by who is on it, not by how many there are or what time it
    /// has become.
    pub fn still_allows(&self, direction: Direction, caller: Option<&Number>) -> bool {
        match (direction, &self.answer.value) {
            (Direction::Outbound, _) => caller.is_some_and(|it| {
                let known = self.known(it.as_str());
                known.is_ok_and(|known| self.entry(&known).is_ok())
            }),
            (Direction::Inbound, Callers::Any) => true,
            (Direction::Inbound, Callers::These(numbers)) => {
                caller.is_some_and(|it| numbers.contains(it))
            }
        }
    }

    /// Whether the one on the phone is the owner, as far as a number can tell.
    pub fn is_owner(&self, caller: Option<&Number>) -> bool {
        caller.is_some_and(|it| self.owner.contains(it))
    }

    /// How long any call may last.
    pub fn limit(&self) -> Duration {
        self.max_length.value
    }

    fn room(&self, up: usize) -> Result<(), Refusal> {
        if up < self.max_calls.value {
            return Ok(());
        }
        let (most, at) = (self.max_calls.value, self.max_calls.at.clone());
        Err(Refusal::TooManyCalls { most, at })
    }
}

/// How much longer than it may last a call can be before its carrier ends it by itself.
pub const OVERRUN: Duration = Duration::from_secs(30);

#[cfg(test)]
pub(crate) mod tests;
