//! The configuration as resolved: every default chosen, every credential present, every name
//! checked. Nothing after start-up sees the file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call::meeting::After;
use call::{Direction, Number, Phrases, Policy, Private, Trust};
pub use policy::{Callers, Country, Rules};
use ports::agent::Answerer;
use ports::carrier::Carrier;

use crate::journal::{Keep, Keys};
use crate::outbox::ReportPlan;
use crate::tools::ToolPlan;
use crate::tunnel::Tunnel;

/// Everything the gateway was told.
#[derive(Clone)]
pub struct Plan {
    /// Where webhooks, media sockets and the control API are served.
    pub listen: SocketAddr,
    /// What carriers call us by: `http(s)://…` without a slash at the end.
    pub public_url: String,
    /// The tunnel whose address that is; without one it is as written. Until the tunnel is open, it is
    /// where this machine reaches us.
    pub expose: Option<Tunnel>,
    /// How long calls may go on once the gateway is told to stop. Those that are up then are handed
    /// to the next one.
    pub drain: Duration,
    /// How many calls each token of the control API may make in a minute.
    pub calls_per_minute: usize,
    /// By the name of their table.
    pub carriers: BTreeMap<String, Carrier>,
    /// Our numbers.
    pub numbers: BTreeMap<Number, OurNumber>,
    /// By the name of their table.
    pub agents: BTreeMap<String, AgentPlan>,
    /// What agents may have done, by the name of its table.
    pub tools: BTreeMap<String, ToolPlan>,
    /// Whom callers can be put through to, by the name of their table.
    pub transfers: BTreeMap<String, TransferPlan>,
    /// Who may be called, who may call, and how much.
    pub rules: Rules,
    /// How patient calls are.
    pub patience: Policy,
    /// How soon a carrier is asked after a dial without an answer.
    pub inquiry: call::Pace,
    /// What is said when an agent cannot.
    pub phrases: Phrases,
    /// How calls hear and speak. Loaded only if some agent needs words.
    pub speech: SpeechPlan,
    /// Who hears what before anything is said.
    pub disclosure: Disclosure,
    /// How calls are recorded; `None`: they are not.
    pub recordings: Option<Recordings>,
    /// How much of what happened is kept.
    pub keep: Keep,
    /// What it is encrypted with.
    pub keys: Keys,
    /// Where reports of calls go, by the name of its table.
    pub reports: BTreeMap<String, ReportPlan>,
    /// Where traces of calls go; `None`: nowhere.
    pub telemetry: Option<Telemetry>,
}

impl Plan {
    /// What someone hears before anything is said: who speaks, that or whether the call is recorded, and how
    /// not to be called again. `None`: it is the owner, who knows.
    pub fn announced(&self, direction: Direction, caller: Option<&Number>) -> Option<String> {
        let country = caller.and_then(|it| policy::Known::of(it).country);
        let text = country.and_then(|it| self.disclosure.regions.get(&it));
        let text = text.unwrap_or(&self.disclosure.text);
        if !self.rules.is_owner(caller) {
            return Some(self.told_others(text, direction));
        }
        let too = self.disclosure.to == Disclosed::Everybody;
        too.then(|| text.clone())
    }

    /// All that anybody may hear before anything is said, so that it can be made before it is needed.
    pub fn announcements(&self) -> BTreeSet<String> {
        let ways = [Direction::Inbound, Direction::Outbound];
        let regions = self.disclosure.regions.values();
        let others = regions
            .chain([&self.disclosure.text])
            .flat_map(|text| ways.map(|way| self.told_others(text, way)));
        let owner = self.rules.owner.iter();
        let owner = owner.filter_map(|it| self.announced(Direction::Inbound, Some(it)));
        others.chain(owner).collect()
    }

    fn told_others(&self, text: &str, direction: Direction) -> String {
        let disclosure = &self.disclosure;
        let consent = self.recordings.as_ref().map(|it| it.consent);
        let recorded = (consent == Some(Consent::Announce)).then(|| disclosure.recorded.clone());
        let key = self.rules.opt_out_key;
        let key = key.filter(|_| direction == Direction::Outbound);
        let opt_out = key.map(|it| {
            disclosure
                .opt_out
                .replace("{key}", &it.as_char().to_string())
        });
        // What wants an answer comes last.
        let ask = (consent == Some(Consent::Ask)).then(|| disclosure.ask.clone());
        let parts = [Some(text.to_owned()), recorded, opt_out, ask];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Where our own recordings of calls go, if there are to be any.
    pub fn recorded_here(&self) -> Option<&Path> {
        let recordings = self.recordings.as_ref();
        recordings
            .filter(|it| it.by == Recorder::Gateway)
            .map(|it| it.dir.as_path())
    }
}

/// How calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// Where recordings go.
    pub dir: PathBuf,
    /// Who makes them.
    pub by: Recorder,
    /// What is needed for it, of everyone but the owner.
    pub consent: Consent,
}

/// What is needed before a call is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// That the one on the phone was told.
    Announce,
    /// That they were asked, and said yes.
    Ask,
}

/// Who hears what before anything is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Who.
    pub to: Disclosed,
    /// Who speaks.
    pub text: String,
    /// The same for numbers of a country.
    pub regions: BTreeMap<Country, String>,
    /// How not to be called again; `{key}` is the key.
    pub opt_out: String,
    /// That the call is recorded.
    pub recorded: String,
    /// Whether it may be.
    pub ask: String,
}

/// Who hears the disclosure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosed {
    /// All but the owner.
    Others,
    /// The owner, too.
    Everybody,
}

/// Who records calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorder {
    /// We do, what comes here.
    Gateway,
    /// The call's carrier does, and we fetch it once the call is over.
    Carrier,
}

/// Where traces of calls go, and what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// The whole address that takes them: OTLP over HTTP, protobuf.
    pub otlp: String,
    /// Whether words and numbers are in them.
    pub private: bool,
}

/// One of our numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurNumber {
    /// A key of [`Plan::carriers`].
    pub carrier: String,
    /// A key of [`Plan::agents`].
    pub agent: String,
}

/// One agent.
#[derive(Clone)]
pub struct AgentPlan {
    /// Who answers.
    pub answerer: Answerer,
    /// The first words of every call, if they are fixed.
    pub opening: Option<Private<String>>,
    /// What it does when it has called someone, and a machine picks up.
    pub on_machine: OnMachine,
    /// Which voice it has, where the mouth has several.
    pub language: String,
    /// Whom it may put callers through to: keys of [`Plan::transfers`].
    pub transfer_to: Vec<String>,
    /// What it may have done: keys of [`Plan::tools`], and names of [`Builtin`](crate::tools::Builtin)s.
    pub tools: Vec<String>,
    /// What it is told of earlier calls.
    pub history: History,
    /// After how long a caller who waits for something it has done is promised to be called back with it, if they may
    /// be.
    pub call_back_after: Duration,
}

/// What an agent is told of earlier calls, when another begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Nothing.
    Call,
    /// What was said on those with the same caller, where we are so sure who calls.
    Caller(Trust),
    /// What was said on all of them, where it is the owner who is on the line, and we are so sure of that.
    Shared(Trust),
}

/// Someone a caller can be put through to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferPlan {
    /// Where they are.
    pub to: Destination,
    /// What they are called aloud.
    pub spoken: String,
    /// How long they may take to pick up and say that they will.
    pub patience: Duration,
    /// How sure an agent must be of who the caller is to put them through.
    pub trust: Trust,
}

/// Where callers are put through to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The room of this name that the caller's carrier keeps. Nothing is dialled for it, and nothing of it
    /// comes here.
    Conference(String),
    /// Someone's phone.
    Phone(PhonePlan),
}

/// Someone's phone, and how callers are put through to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhonePlan {
    /// Whom to call.
    pub number: Number,
    /// From which of our numbers; `None`: the one that the caller is on.
    pub from: Option<Number>,
    /// Who puts the caller through.
    pub by: By,
}

/// Who puts a caller through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// We do: the other one is asked first, and we stay on the line.
    Gateway {
        /// What becomes of the caller when the other one hangs up.
        after: After,
        /// What becomes of the agent once the two talk.
        agent: AgentThen,
    },
    /// The caller's carrier, without asking: nothing of it comes here.
    Carrier,
}

/// What an agent does that has put its caller through to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentThen {
    /// It leaves the two alone.
    Leaves,
    /// It sits with them and hears what is said, and says nothing.
    Listens,
    /// It sits with them and talks.
    Stays,
}

/// What an agent does when it has called someone, and a machine picks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnMachine {
    /// It talks, as to a person.
    Talk,
    /// It hangs up.
    HangUp,
    /// It leaves this message.
    Leave(Private<String>),
}

/// How calls hear and speak.
#[derive(Clone, Debug)]
pub struct SpeechPlan {
    /// An entry of the list of speech vendors.
    pub vendor: String,
    /// What it was told.
    pub settings: ports::Settings,
}
