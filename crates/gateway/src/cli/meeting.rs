//! `offhook meeting`: several people on one line, whichever carriers they are with.

use ports::{Blame, Fault, code};
use serde_json::{Value, json};

use super::call::{accepted, garbled, keyed, unreachable};
use super::steer::running;
use super::{Done, Out};
use crate::state::Running;

/// What to do with meetings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Call people to a meeting.
    Start(StartArgs),
    /// The meetings there are.
    List,
    /// Who is at a meeting.
    Show(MeetingArgs),
    /// Call one more.
    Add(AddArgs),
    /// Bring someone who talks to an agent.
    Bring(BringArgs),
    /// Let nobody hear someone.
    Mute(PersonArgs),
    /// Let someone be heard again.
    Unmute(PersonArgs),
    /// Let someone go.
    Remove(PersonArgs),
    /// Tell the agent to hear what is said, and say nothing.
    Listen(PersonArgs),
    /// Tell the agent to answer again.
    Talk(PersonArgs),
    /// Say something to everybody.
    Say(SayArgs),
    /// End a meeting.
    End(MeetingArgs),
}

#[derive(Debug, clap::Args)]
struct StartArgs {
    /// Whom to call: a number, or `name=number`, or `name=number@ours` for one of our numbers.
    #[arg(required = true)]
    people: Vec<String>,
    /// Which agent sits there too.
    #[arg(long)]
    agent: Option<String>,
    /// Do not say to those who are there who comes and who goes.
    #[arg(long)]
    no_announcements: bool,
    /// What the meeting is for: written down with each call.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

#[derive(Debug, clap::Args)]
struct MeetingArgs {
    /// The meeting: its name, or how it ends.
    meeting: String,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The meeting: its name, or how it ends.
    meeting: String,
    /// Whom to call: a number, or `name=number`, or `name=number@ours`.
    person: String,
    /// What they are called for: written down with the call.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

#[derive(Debug, clap::Args)]
struct BringArgs {
    /// The meeting: its name, or how it ends.
    meeting: String,
    /// The call: its whole name.
    call: String,
    /// What the others call them.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
struct PersonArgs {
    /// The meeting: its name, or how it ends.
    meeting: String,
    /// Who: their name, or the number of their seat.
    who: String,
}

#[derive(Debug, clap::Args)]
struct SayArgs {
    /// The meeting: its name, or how it ends.
    meeting: String,
    /// The words.
    text: String,
}

pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    match args.what {
        What::Start(args) => start(&running, args, out).await,
        What::List => list(&running, out).await,
        What::Show(args) => {
            let id = find(&running, &args.meeting).await?;
            let view = read(&running, &format!("/v1/meetings/{id}")).await?;
            out.json(&view);
            show(&view, out);
            Ok(Done::Well)
        }
        What::Add(args) => {
            let mut body = person(&args.person);
            if let Some(purpose) = args.purpose {
                body["purpose"] = purpose.into();
            }
            steer(&running, (&args.meeting, "people"), &body, out).await
        }
        What::Bring(args) => {
            let body = json!({ "call": args.call, "name": args.name });
            steer(&running, (&args.meeting, "calls"), &body, out).await
        }
        What::Mute(args) => do_to(&running, args, "mute", out).await,
        What::Unmute(args) => do_to(&running, args, "unmute", out).await,
        What::Remove(args) => do_to(&running, args, "remove", out).await,
        What::Listen(args) => do_to(&running, args, "listen", out).await,
        What::Talk(args) => do_to(&running, args, "talk", out).await,
        What::Say(args) => {
            let body = json!({ "text": args.text });
            steer(&running, (&args.meeting, "say"), &body, out).await
        }
        What::End(args) => steer(&running, (&args.meeting, "end"), &json!({}), out).await,
    }
}

async fn start(running: &Running, args: StartArgs, out: &mut Out) -> Result<Done, Fault> {
    let people: Vec<_> = args.people.iter().map(|it| person(it)).collect();
    let mut order = json!({ "people": people });
    if let Some(agent) = args.agent {
        order["agent"] = agent.into();
    }
    if args.no_announcements {
        order["announce"] = false.into();
    }
    if let Some(purpose) = args.purpose {
        order["purpose"] = purpose.into();
    }
    let asked = keyed(running.post("/v1/meetings")).json(&order);
    let answer = accepted(asked.send().await.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let view: Value = serde_json::from_slice(&body).map_err(garbled)?;
    out.json(&view);
    show(&view, out);
    Ok(Done::Well)
}

async fn list(running: &Running, out: &mut Out) -> Result<Done, Fault> {
    let meetings = read(running, "/v1/meetings").await?;
    out.json(&meetings);
    let meetings = meetings.as_array().cloned().unwrap_or_default();
    if meetings.is_empty() {
        out.line("there is no meeting");
    }
    for meeting in &meetings {
        show(meeting, out);
    }
    Ok(Done::Well)
}

fn show(view: &Value, out: &mut Out) {
    out.line(format_args!(
        "meeting {}",
        view["id"].as_str().unwrap_or("—")
    ));
    for person in view["people"].as_array().into_iter().flatten() {
        let is = |key: &str| person[key].as_bool().unwrap_or_default();
        let mut state = vec![if is("here") { "here" } else { "awaited" }];
        state.extend(is("agent").then_some("agent"));
        state.extend(is("muted").then_some("muted"));
        state.extend(is("speaking").then_some("speaking"));
        out.line(format_args!(
            "  {:>2}  {:<16} {}  {}",
            person["seat"],
            person["name"].as_str().unwrap_or("—"),
            person["call"].as_str().unwrap_or("—"),
            state.join(", ")
        ));
    }
}

async fn do_to(
    running: &Running,
    args: PersonArgs,
    fate: &str,
    out: &mut Out,
) -> Result<Done, Fault> {
    let path = format!("people/{}", args.who);
    let body = json!({ "do": fate });
    steer(running, (&args.meeting, &path), &body, out).await
}

async fn steer(
    running: &Running,
    (meeting, path): (&str, &str),
    body: &Value,
    out: &mut Out,
) -> Result<Done, Fault> {
    let id = find(running, meeting).await?;
    let asked = keyed(running.post(&format!("/v1/meetings/{id}/{path}"))).json(body);
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "meeting": id, "accepted": true }));
    out.line("it is being done");
    Ok(Done::Well)
}

/// `name=number@ours`, of which only the number must be there.
fn person(written: &str) -> Value {
    let (name, rest) = match written.split_once('=') {
        Some((name, rest)) => (Some(name), rest),
        None => (None, written),
    };
    let (to, from) = match rest.split_once('@') {
        Some((to, from)) => (to, Some(from)),
        None => (rest, None),
    };
    let mut person = json!({ "to": to });
    if let Some(name) = name {
        person["name"] = name.into();
    }
    if let Some(from) = from {
        person["from"] = from.into();
    }
    person
}

/// The one meeting whose name ends so.
async fn find(running: &Running, end: &str) -> Result<String, Fault> {
    let meetings = read(running, "/v1/meetings").await?;
    let names = meetings.as_array().into_iter().flatten();
    let names = names.filter_map(|it| it["id"].as_str());
    let mut names = names.filter(|it| !end.is_empty() && it.ends_with(end));
    let wrong = |message: String| {
        Fault::new(Blame::Caller, code::MEETING_UNKNOWN, message)
            .hint("`offhook meeting list` lists those there are")
    };
    match (names.next(), names.next()) {
        (Some(meeting), None) => Ok(meeting.to_owned()),
        (Some(_), Some(_)) => Err(wrong(format!("several meetings end in {end:?}"))),
        (None, _) => Err(wrong(format!("no meeting ends in {end:?}"))),
    }
}

async fn read(running: &Running, path: &str) -> Result<Value, Fault> {
    let answer = accepted(running.get(path).send().await.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_written_shortly() {
        for (written, meant) in [
            ("+15551234567", json!({ "to": "+15551234567" })),
            ("anna=+1555", json!({ "to": "+1555", "name": "anna" })),
            (
                "anna=+1@+2",
                json!({ "to": "+1", "name": "anna", "from": "+2" }),
            ),
            ("+1@+2", json!({ "to": "+1", "from": "+2" })),
        ] {
            assert_eq!(person(written), meant);
        }
    }
}
