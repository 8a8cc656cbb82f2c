//! Turning a recording into a test of the simulator's, to be kept for as long as the call matters.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use call::event::{End, Refused};
use call::input::{Agent, Carrier, Command, Media, Speech};
use call::{
    Announcement, BlindTransfer, Direction, Input, Machine, Mode, Opening, Phrases, Place, Plan,
    Policy, Private, Referral, Regrets, Rounds, Through,
};
use media::machine::{Beep, Ending, Evidence, Finding};
use media::{Cut, Edge, Progress};
use ports::{Blame, Fault, code};

use super::replay::replay;
use super::wire::{Beginning, Step};
use super::{Recording, thin};

/// The call as the source of a test, which tells a `sim::Recorded` the same and expects the same.
///
/// Times are rounded down to milliseconds and figures that say nothing new are left out, but only as
/// far as the events stay the same, each in its millisecond.
///
/// # Errors
/// The recording begins where another process lost the call: its story has no beginning.
pub fn story(recording: &Recording) -> Result<String, Fault> {
    let recording = thin::thin(recording);
    let (at, plan) = match &recording.beginning {
        Beginning::Start { at, plan } => (*at, plan),
        Beginning::Resume { .. } => {
            let message = "a story is told from its beginning, and this recording has none: it begins \
                           where another gateway lost the call";
            return Err(Fault::new(Blame::Caller, code::FLIGHT_FORMAT, message)
                .hint("`offhook replay` without --story runs it all the same"));
        }
    };
    let replayed = replay(&recording);
    let source = source(&recording, at, plan);
    let mut text = format!(
        "{HEAD}\n{}\nuse crate::script::ms;\n\n{source}",
        imports(&source)
    );
    text += "    expect![[r##\"\n";
    for entry in &replayed.entries {
        let event = serde_json::to_string(&entry.event).expect("an event is plain data");
        let _ = writeln!(text, "        {:06}  {event}", entry.ms);
    }
    Ok(text + "    \"##]]\n    .assert_eq(&call.story());\n}\n")
}

const HEAD: &str =
    "//! A call that was recorded, told again. Written by `offhook replay --story`.\n";

/// What a story may have to name, from where.
const IMPORTS: &[(&str, &[&str])] = &[
    ("std::time", &["Duration"]),
    ("call::event", &["End", "Judge", "Party", "Who", "Why"]),
    (
        "call::input",
        &[
            "Agent", "Carrier", "Command", "Input", "Media", "Meeting", "Speech",
        ],
    ),
    (
        "call",
        &[
            "BlindTransfer",
            "Digit",
            "Direction",
            "Keys",
            "Machine",
            "Mode",
            "Opening",
            "Phrases",
            "Place",
            "Plan",
            "Policy",
            "Referral",
            "Regrets",
            "Side",
            "Through",
            "Trust",
            "TurnId",
        ],
    ),
    ("call::meeting", &["After", "Announcing", "Attention"]),
    ("expect_test", &["expect"]),
    ("media", &["Cut", "Edge", "Progress", "UtteranceId"]),
    (
        "media::machine",
        &["Answerer", "Beep", "Ending", "Evidence", "Finding"],
    ),
    ("sim", &["Recorded"]),
];

/// Brings in what the source names, and nothing else.
fn imports(source: &str) -> String {
    let mut named = named(source);
    named.insert("expect");
    let mut text = String::new();
    for (from, names) in IMPORTS {
        let used: Vec<&str> = names
            .iter()
            .copied()
            .filter(|it| named.contains(it))
            .collect();
        match used.as_slice() {
            [] => continue,
            // As this house has it, the standard library stands by itself.
            ["Duration"] => text += "use std::time::Duration;\n\n",
            [name] => {
                let _ = writeln!(text, "use {from}::{name};");
            }
            names => {
                let _ = writeln!(text, "use {from}::{{{}}};", names.join(", "));
            }
        }
    }
    text
}

/// Every name that a source begins a path with. What stands between quotes names nothing.
fn named(source: &str) -> BTreeSet<&str> {
    let mut named = BTreeSet::new();
    let mut rest = source;
    while let Some(at) = rest.find(|c: char| c == '"' || c.is_alphabetic()) {
        let inner = rest[..at].ends_with("::");
        rest = &rest[at..];
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = after_quote(quoted);
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, more) = rest.split_at(end.unwrap_or(rest.len()));
        if !inner {
            named.insert(name);
        }
        rest = more;
    }
    named
}

/// What follows a text, from behind its first quote.
fn after_quote(quoted: &str) -> &str {
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &quoted[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The test up to what it expects.
fn source(recording: &Recording, at: Duration, plan: &Plan) -> String {
    let name = &recording.call;
    let name = &name[name.len().saturating_sub(6)..];
    let long = "allow(clippy::too_many_lines, reason = \"a call is as long as it was\")";
    let mut text = format!(
        "#[test]\n#[{long}]\nfn call_{name}() {{\n    let plan = {};\n    let call = Recorded::start({}, plan)",
        spell_plan(plan),
        time(at)
    );
    for step in &recording.steps {
        match step {
            Step::Told {
                at,
                waiting: 0,
                input,
            } => {
                let _ = write!(text, "\n        .at({}, {})", time(*at), spell(input));
            }
            Step::Told { waiting, input, .. } => {
                let _ = write!(text, "\n        .amid({waiting}, {})", spell(input));
            }
            // What broke it stands right above.
            Step::Broke { .. } => {}
        }
    }
    text + ";\n"
}

fn spell_plan(plan: &Plan) -> String {
    let Plan {
        direction,
        mode,
        machine,
        policy,
        phrases,
        announcement,
        recording,
    } = plan;
    let machine = match machine {
        Machine::Talk => "Talk".to_owned(),
        Machine::HangUp(judge) => format!("HangUp(Judge::{judge:?})"),
        Machine::Leave(judge, text) => format!("Leave(Judge::{judge:?}, {})", words(text)),
    };
    let direction = match direction {
        Direction::Inbound => "Inbound",
        Direction::Outbound => "Outbound",
    };
    let mode = match mode {
        Mode::Conversation { opening } => {
            let opening = match opening {
                Opening::Say(text) => format!("Say({})", words(text)),
                Opening::Ask => "Ask".to_owned(),
                Opening::Wait => "Wait".to_owned(),
            };
            format!("Conversation {{ opening: Opening::{opening} }}")
        }
        Mode::Notify { text } => format!("Notify {{ text: {} }}", words(text)),
        Mode::Seat(place) => format!("Seat({})", spell_place(place)),
        Mode::Loopback => "Loopback".to_owned(),
    };
    format!(
        "Plan {{\n        direction: Direction::{direction},\n        mode: Mode::{mode},\n        machine: Machine::{machine},\n        \
         policy: {},\n        phrases: {},\n        announcement: {},\n        recording: Recording::{recording:?},\n    }}",
        spell_policy(policy),
        spell_phrases(phrases),
        announcement
            .as_ref()
            .map_or_else(|| "None".to_owned(), spell_announcement),
    )
}

/// What differs from what a policy is by itself.
fn spell_policy(policy: &Policy) -> String {
    let fields = |policy: &Policy| {
        let Policy {
            ring,
            connect,
            release,
            regain,
            limit,
            silence,
            endpoint,
            endpoint_short,
            endpoint_long,
            finalize,
            barge_in,
            filler,
            pulse,
            still,
            think,
            synthesize,
            linger,
            rounds: _,
        } = *policy;
        [
            ("ring", ring),
            ("connect", connect),
            ("release", release),
            ("regain", regain),
            ("limit", limit),
            ("silence", silence),
            ("endpoint", endpoint),
            ("endpoint_short", endpoint_short),
            ("endpoint_long", endpoint_long),
            ("finalize", finalize),
            ("barge_in", barge_in),
            ("filler", filler),
            ("pulse", pulse),
            ("still", still),
            ("think", think),
            ("synthesize", synthesize),
            ("linger", linger),
        ]
    };
    let usual = fields(&Policy::default());
    let own = fields(policy);
    let own = own
        .iter()
        .zip(usual)
        .filter(|(own, usual)| own.1 != usual.1);
    let own: String = own
        .map(|((name, it), _)| format!("            {name}: {},\n", time(*it)))
        .collect();
    let Rounds {
        stale,
        machine,
        most,
    } = policy.rounds;
    let rounds = if policy.rounds == Rounds::default() {
        String::new()
    } else {
        format!(
            "            rounds: Rounds {{ stale: {stale}, machine: {machine}, most: {most} }},\n"
        )
    };
    let own = own + &rounds;
    if own.is_empty() {
        return "Policy::default()".to_owned();
    }
    format!("Policy {{\n{own}            ..Policy::default()\n        }}")
}

fn spell_announcement(announcement: &Announcement) -> String {
    let Announcement {
        text,
        sha256,
        bytes,
        length,
    } = announcement;
    format!(
        "Some(Announcement {{\n            text: {},\n            sha256: {sha256:?}.into(),\n            \
         bytes: {bytes},\n            length: {},\n        }})",
        words(text),
        time(*length)
    )
}

fn spell_phrases(phrases: &Phrases) -> String {
    if *phrases == Phrases::default() {
        return "Phrases::default()".to_owned();
    }
    let Phrases {
        filler,
        still,
        apology,
        back,
        goodbye,
    } = phrases;
    format!(
        "Phrases {{\n            filler: {},\n            still: {},\n            apology: {},\n            \
         back: {},\n            goodbye: {},\n        }}",
        words(filler),
        words(still),
        words(apology),
        words(back),
        words(goodbye)
    )
}

fn spell(input: &Input) -> String {
    let (kind, input) = match input {
        Input::Agent(agent) => ("Agent", spell_agent(agent)),
        Input::Carrier(news) => ("Carrier", spell_carrier(news)),
        Input::Command(Command::HangUp) => ("Command", "HangUp".to_owned()),
        Input::Command(Command::Forbid) => ("Command", "Forbid".to_owned()),
        Input::Command(Command::OptOut) => ("Command", "OptOut".to_owned()),
        Input::Command(Command::Limit(limit)) => ("Command", format!("Limit({})", time(*limit))),
        Input::Command(Command::Press(keys)) => {
            let keys = keys.as_str();
            let spelt = format!("Press(Keys::parse({keys:?}).expect(\"they are keys\"))");
            ("Command", spelt)
        }
        Input::Command(Command::Disprove(text)) => {
            ("Command", format!("Disprove({})", words(text)))
        }
        Input::Command(Command::Help(text)) => ("Command", format!("Help({})", words(text))),
        Input::Command(Command::Prove(text)) => ("Command", format!("Prove({})", words(text))),
        Input::Command(Command::Refuse(refused, text)) => {
            let Refused { code, needs, trust } = refused;
            let refused = format!(
                "Refused {{ code: {code:?}, needs: Trust::{needs:?}, trust: Trust::{trust:?} }}"
            );
            ("Command", format!("Refuse({refused}, {})", words(text)))
        }
        Input::Command(Command::Say(text)) => ("Command", format!("Say({})", words(text))),
        Input::Command(Command::Dismiss) => ("Command", "Dismiss".to_owned()),
        Input::Command(Command::Sit(place)) => ("Command", format!("Sit({})", spell_place(place))),
        Input::Command(Command::Stand(text)) => ("Command", format!("Stand({})", words(text))),
        Input::Command(Command::Transfer(to)) => {
            ("Command", format!("Transfer({})", spell_transfer(to)))
        }
        Input::Meeting(news) => ("Meeting", format!("{news:?}")),
        Input::Media(media) => ("Media", spell_media(media)),
        Input::Speech(speech) => ("Speech", spell_speech(speech)),
        Input::Timeout => return "Input::Timeout".to_owned(),
    };
    format!("Input::{kind}({kind}::{input})")
}

fn spell_place(place: &Place) -> String {
    let Place {
        meeting,
        name,
        agent,
        announcing,
        through,
    } = place;
    let agent = agent.as_ref().map(|it| format!("{it:?}.to_owned()"));
    let agent = agent.map_or_else(|| "None".to_owned(), |it| format!("Some({it})"));
    let through = through.as_ref().map(spell_through);
    let through = through.map_or_else(|| "None".to_owned(), |it| format!("Some({it})"));
    format!(
        "Place {{ meeting: {meeting:?}.to_owned(), name: {}, agent: {agent}, announcing: Announcing::{announcing:?}, through: {through} }}",
        words(name)
    )
}

fn spell_through(through: &Through) -> String {
    let Through {
        side,
        target,
        after,
        attention,
    } = through;
    format!(
        "Through {{ side: Side::{side:?}, target: {}, after: After::{after:?}, attention: Attention::{attention:?} }}",
        words(target)
    )
}

fn spell_transfer(transfer: &BlindTransfer) -> String {
    let BlindTransfer {
        to,
        patience,
        regrets: Regrets {
            nobody,
            busy,
            declined,
        },
    } = transfer;
    format!(
        "BlindTransfer {{ to: {to:?}.to_owned(), patience: {}, regrets: Regrets {{ nobody: {}, busy: {}, declined: {} }} }}",
        time(*patience),
        words(nobody),
        words(busy),
        words(declined)
    )
}

fn spell_agent(agent: &Agent) -> String {
    match agent {
        Agent::Failed(turn, code) => format!("Failed({turn:?}, {code:?})"),
        Agent::Finish(turn) => format!("Finish({turn:?})"),
        Agent::HangUp(turn) => format!("HangUp({turn:?})"),
        Agent::PutThrough(turn, Referral { to, about }) => format!(
            "PutThrough({turn:?}, Referral {{ to: {to:?}.to_owned(), about: {} }})",
            words(about)
        ),
        Agent::Message { name, text } => {
            format!("Message {{ name: {}, text: {} }}", words(name), words(text))
        }
        Agent::Note(text) => format!("Note({})", words(text)),
        Agent::CallsTool(turn, name, most) => {
            format!("CallsTool({turn:?}, {name:?}.to_owned(), {})", time(*most))
        }
        Agent::Working(turn, most) => format!("Working({turn:?}, {})", time(*most)),
        Agent::Say(turn, text) => format!("Say({turn:?}, {})", words(text)),
    }
}

fn spell_carrier(news: &Carrier) -> String {
    match news {
        Carrier::Answered => "Answered".to_owned(),
        Carrier::AnsweredBy(who) => format!("AnsweredBy(Who::{who:?})"),
        Carrier::Connected => "Connected".to_owned(),
        Carrier::Dropped => "Dropped".to_owned(),
        Carrier::Disconnected => "Disconnected".to_owned(),
        Carrier::Ended(End { by, why }) => {
            format!("Ended(End {{ by: Party::{by:?}, why: Why::{why:?} }})")
        }
        Carrier::Joined => "Joined".to_owned(),
        Carrier::Parted => "Parted".to_owned(),
        Carrier::PutBack(why) => format!("PutBack(Why::{why:?})"),
        Carrier::Pressed(digit) => {
            let key = digit.as_char();
            format!("Pressed(Digit::new({key:?}).expect(\"it is a key\"))")
        }
        Carrier::Ringing => "Ringing".to_owned(),
    }
}

fn spell_media(media: &Media) -> String {
    match media {
        Media::Answerer(finding) => format!("Answerer({})", spell_finding(*finding)),
        Media::Cut(None) => "Cut(None)".to_owned(),
        Media::Cut(Some(Cut { utterance, played })) => format!(
            "Cut(Some(Cut {{ utterance: {utterance:?}, played: {} }}))",
            time(*played)
        ),
        Media::Edge(Edge::SpeechStarted { ago }) => {
            format!("Edge(Edge::SpeechStarted {{ ago: {} }})", time(*ago))
        }
        Media::Edge(Edge::SpeechEnded { ago }) => {
            format!("Edge(Edge::SpeechEnded {{ ago: {} }})", time(*ago))
        }
        Media::Progress(Progress {
            utterance,
            played,
            done,
        }) => format!(
            "Progress(Progress {{ utterance: {utterance:?}, played: {}, done: {done} }})",
            time(*played)
        ),
    }
}

fn spell_finding(finding: Finding) -> String {
    let beep = |it: Beep| {
        let Beep { at, length, hz } = it;
        let (at, length) = (time(at), time(length));
        format!("Beep {{ at: {at}, length: {length}, hz: {hz} }}")
    };
    let some = |it: Option<String>| it.map_or("None".to_owned(), |it| format!("Some({it})"));
    match finding {
        Finding::Answered(answerer, evidence) => {
            let Evidence {
                at,
                speech,
                greeting,
                pause,
                silence,
                bursts,
                beep: heard,
            } = evidence;
            format!(
                "Finding::Answered(Answerer::{answerer:?}, Evidence {{ at: {}, speech: {}, \
                 greeting: {}, pause: {}, silence: {}, bursts: {bursts}, beep: {} }})",
                time(at),
                some(speech.map(time)),
                time(greeting),
                time(pause),
                time(silence),
                some(heard.map(beep)),
            )
        }
        Finding::GreetingEnded(ending) => {
            let ending = match ending {
                Ending::Beep(it) => format!("Beep({})", beep(it)),
                Ending::Silence => "Silence".to_owned(),
                Ending::Endless => "Endless".to_owned(),
            };
            format!("Finding::GreetingEnded(Ending::{ending})")
        }
    }
}

fn spell_speech(speech: &Speech) -> String {
    match speech {
        Speech::Begun(id) => format!("Begun({id:?})"),
        Speech::EndOfTurn { probability } if probability.is_finite() => {
            format!("EndOfTurn {{ probability: {probability:?} }}")
        }
        Speech::EndOfTurn { probability } => {
            let bits = probability.to_bits();
            format!("EndOfTurn {{ probability: f32::from_bits({bits:#010x}) }}")
        }
        Speech::EarsFailed(code) => format!("EarsFailed({code:?})"),
        Speech::Final(text) => format!("Final({})", words(text)),
        Speech::Length(id, length) => format!("Length({id:?}, {})", time(*length)),
        Speech::MouthFailed(id, code) => format!("MouthFailed({id:?}, {code:?})"),
        Speech::Partial(text) => format!("Partial({})", words(text)),
    }
}

fn words(text: &Private<String>) -> String {
    format!("{:?}.into()", text.reveal())
}

/// A duration in the coarsest unit that tells all of it.
fn time(it: Duration) -> String {
    let nanos = it.as_nanos();
    let (unit, count) = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => {
            return format!("ms({})", grouped(nanos / 1_000_000));
        }
        _ if nanos.is_multiple_of(1_000) => ("micros", nanos / 1_000),
        _ => ("nanos", nanos),
    };
    format!("Duration::from_{unit}({})", grouped(count))
}

/// A number as this house writes it: `1_234_567`.
fn grouped(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
