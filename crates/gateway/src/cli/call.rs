//! `offhook call`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ports::{Blame, Fault, code};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::feed::Feed;
use super::tail::{clock_of, short};
use super::{Done, Out, load, load_voice, story};
use crate::gateway::Gateway;
use crate::http::{ObjectiveOrder, OnMachineOrder, Order, Problem};
use crate::pointing;
use crate::state::{self, Running};
use crate::switchboard::Record;

/// Whom to call, and what about.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number, such as +15551234567, or a contact's name.
    #[arg(required_unless_present = "token")]
    number: Option<String>,
    /// What to say. Without it, the agent talks.
    text: Option<String>,
    /// Stay and talk after saying it.
    #[arg(long, requires = "text")]
    converse: bool,
    /// Call from this number of yours.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Let this agent talk, instead of the number's own.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// When a machine picks up. By itself, what is to be said is left after the beep, and agents talk.
    #[arg(long, value_name = "WHAT")]
    on_machine: Option<OnMachineOrder>,
    /// What to leave a machine, if not the same.
    #[arg(long, value_name = "TEXT")]
    machine_message: Option<String>,
    /// What the call is for: written down with it, and told to its agent.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    #[command(flatten)]
    aim: Aim,
    /// Call nobody: say whether the call could be made, for how much at most, and which token makes it.
    #[arg(long, conflicts_with = "token")]
    plan: bool,
    /// Make exactly the call that was planned with this token.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["number", "text", "from", "agent", "on_machine", "machine_message", "purpose", "goal", "objective"])]
    token: Option<String>,
}

/// What the call is to achieve, and what comes of it: `offhook show` has it as `outcome`.
#[derive(Debug, Default, clap::Args)]
struct Aim {
    /// What the call is to achieve; it is judged behind its end whether it did.
    #[arg(long, value_name = "TEXT", conflicts_with = "purpose")]
    goal: Option<String>,
    /// What the agent may go by, and say; may be given several times.
    #[arg(long = "fact", value_name = "TEXT", requires = "goal")]
    facts: Vec<String>,
    /// What it is not to say; may be given several times.
    #[arg(long, value_name = "TEXT", requires = "goal")]
    avoid: Vec<String>,
    /// What to do where the goal cannot be achieved.
    #[arg(long, value_name = "TEXT", requires = "goal")]
    fallback: Option<String>,
    /// By what one can tell that it was; may be given several times.
    #[arg(long, value_name = "TEXT", requires = "goal")]
    success: Vec<String>,
    /// A file with the shape of what is to be found out: a JSON schema.
    #[arg(long, value_name = "FILE", requires = "goal")]
    outcome_schema: Option<PathBuf>,
    /// A file with all of this: JSON with `goal`, `facts`, `avoid`, `fallback`, `success`, `schema`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["goal", "purpose"])]
    objective: Option<PathBuf>,
}

impl Aim {
    fn into_order(self) -> Result<Option<ObjectiveOrder>, Fault> {
        if let Some(file) = &self.objective {
            return read(file).map(Some);
        }
        let Some(goal) = self.goal else {
            return Ok(None);
        };
        let schema = self.outcome_schema.as_deref().map(read).transpose()?;
        Ok(Some(ObjectiveOrder {
            goal,
            facts: self.facts,
            avoid: self.avoid,
            fallback: self.fallback,
            success: self.success,
            schema,
        }))
    }
}

/// Reads a file of JSON.
fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Fault> {
    let wrong = |message: String, hint: &str| {
        Fault::new(Blame::Caller, code::CALL_OBJECTIVE, message).hint(hint)
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read {}: {error}", file.display());
        wrong(message, "name a file that you may read")
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} makes no sense: {error}", file.display());
        wrong(
            message,
            "it is one JSON object: `offhook call --help` says of what",
        )
    })
}

/// Makes a call and tells its story until it is over.
pub async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let order = Order {
        to: args.number.unwrap_or_default(),
        from: args.from,
        agent: args.agent,
        say: args.text,
        converse: args.converse,
        on_machine: args.on_machine,
        machine_message: args.machine_message,
        purpose: args.purpose,
        objective: args.aim.into_order()?,
        token: args.token,
    };
    let named = crate::config::find(config.as_deref());
    let plans = args.plan || order.token.is_some();
    match Running::find().await.filter(|it| it.serves(&named)) {
        Some(running) if args.plan => plan(&running, &order, out).await,
        None if plans => Err(nobody_plans()),
        Some(running) => through(&running, &order, out).await,
        None => alone(order, config, out).await,
    }
}

/// Says what would come of a call.
async fn plan(running: &Running, order: &Order, out: &mut Out) -> Result<Done, Fault> {
    let asked = running.post("/v1/calls?plan").json(order).send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let plan: Value = serde_json::from_slice(&body).map_err(garbled)?;
    let text = |key: &str| plan[key].as_str().unwrap_or_default().to_owned();
    let allowed = plan["allowed"].as_bool().unwrap_or_default();
    let may = if allowed {
        "may be called"
    } else {
        "may not be called"
    };
    out.line(format_args!("{may}: {}", text("reason")));
    out.line(format_args!("  rule   {}", text("rule")));
    if let (Some(price), Some(seconds)) =
        (plan["price_ceiling"].as_f64(), plan["good_for"].as_u64())
    {
        out.line(format_args!("  price  at most {price:.2}"));
        out.line(format_args!(
            "  good   for {seconds} s: offhook call --token {}",
            text("token")
        ));
    }
    if let Some(rule) = plan["asks"].as_str() {
        out.line(format_args!("  waits  for your yes, by {rule}"));
    }
    if !allowed {
        out.line(format_args!("  hint   {}", text("hint")));
    }
    out.json(&plan);
    Ok(if allowed { Done::Well } else { Done::Refused })
}

fn nobody_plans() -> Fault {
    let message = "a plan is kept by a gateway, and none runs here with this configuration";
    Fault::new(Blame::Caller, code::CALL_PLANS, message)
        .hint("start one with `offhook serve`; `offhook policy explain NUMBER` needs none")
}

/// Serves for the length of the call itself.
async fn alone(order: Order, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let mut plan = match load(config, out) {
        Ok(plan) => plan,
        Err(done) => return Ok(done),
    };
    let _exposed = pointing::open(&mut plan).await?;
    let voice = load_voice(&plan);
    let gateway = Gateway::start(plan, voice, state::folder()).await?;
    let record = gateway.board.dial(order.into_wish()).await?;
    let done = follow(&record, out).await;
    if record.log.parties().objective.is_some() {
        let outcome = gateway.board.outcome_in_time(record.log.call());
        let outcome = tokio::select! {
            outcome = outcome => outcome?,
            _ = tokio::signal::ctrl_c() => None,
        };
        if let Some(outcome) = outcome {
            Told::default().tell(outcome, out);
        }
    }
    gateway.close(PATIENCE).await;
    Ok(done)
}

async fn follow(record: &Record, out: &mut Out) -> Done {
    let (mut seen, mut told) = (0, Told::default());
    loop {
        tokio::select! {
            entries = record.log.wait(seen) => {
                if entries.is_empty() {
                    break;
                }
                seen += entries.len();
                for entry in entries {
                    let entry = serde_json::to_value(entry).expect("an entry has only strings for keys");
                    told.tell(entry, out);
                }
            }
            // The first Ctrl-C hangs up; the story goes on to its end.
            _ = tokio::signal::ctrl_c() => record.hang_up().await,
        }
    }
    if let Some(fault) = record.fault() {
        blame(fault.code, &fault.message, fault.hint.as_deref(), out);
    }
    told.judge()
}

/// Asks the gateway that is already running.
async fn through(running: &Running, order: &Order, out: &mut Out) -> Result<Done, Fault> {
    let asked = keyed(running.post("/v1/calls")).json(order).send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let waits = answer.status() == reqwest::StatusCode::ACCEPTED;
    let body = answer.bytes().await.map_err(unreachable)?;
    let call: Value = serde_json::from_slice(&body).map_err(garbled)?;
    if waits {
        return Ok(held(&call, out));
    }
    let id = call["id"].as_str().unwrap_or_default();
    let told = listen(running, id, out).await;
    if told.ended.is_null() {
        let fault = unreachable("it stopped, or was stopped, during the call");
        out.fault(&fault);
        return Ok(Done::CallFailed);
    }
    let shown = running
        .get(&format!("/v1/calls/{id}"))
        .send()
        .await
        .map_err(unreachable)?;
    let shown: Value =
        serde_json::from_slice(&shown.bytes().await.map_err(unreachable)?).map_err(garbled)?;
    if let Some(code) = shown["fault"]["code"].as_str() {
        let message = shown["fault"]["message"].as_str().unwrap_or_default();
        blame(code, message, shown["fault"]["hint"].as_str(), out);
    }
    Ok(told.judge())
}

/// The call waits for the owner: nobody is dialled yet.
fn held(waiting: &Value, out: &mut Out) -> Done {
    let text = |key: &str| waiting[key].as_str().unwrap_or_default();
    out.json(waiting);
    out.line("the call waits for its owner's yes");
    out.line(format_args!("  rule   {}", text("rule")));
    let id = short(text("id"));
    out.line(format_args!(
        "  say    offhook approve {id}, or offhook refuse {id}, until {}",
        clock_of(text("until"))
    ));
    Done::Refused
}

/// Reads a call's events as the gateway sends them, for as long as it does.
async fn listen(running: &Running, id: &str, out: &mut Out) -> Told {
    let mut told = Told::default();
    let path = format!("/v1/calls/{id}/events");
    let Ok(mut feed) = Feed::open(running, &path, 0).await else {
        return told;
    };
    loop {
        tokio::select! {
            event = feed.next() => match event {
                Some((_, event)) => told.tell(event, out),
                None => return told,
            },
            _ = tokio::signal::ctrl_c() => {
                let _ = running.post(&format!("/v1/calls/{id}/end")).send().await;
            }
        }
    }
}

/// What of a call's story decides how it went.
#[derive(Default)]
struct Told {
    answered: bool,
    /// Its last event, once there is one.
    ended: Value,
}

impl Told {
    fn tell(&mut self, event: Value, out: &mut Out) {
        out.json(&event);
        if let Some(line) = story::line(&event) {
            out.line(line);
        }
        match event["type"].as_str() {
            Some("call.answered") => self.answered = true,
            Some("call.ended") => self.ended = event,
            Some(_) | None => {}
        }
    }

    /// A call that nobody took, or that broke, failed.
    fn judge(&self) -> Done {
        match self.ended["why"].as_str() {
            Some(
                "hung_up" | "completed" | "silence" | "time_limit" | "machine" | "policy" | "loop",
            ) if self.answered => Done::Well,
            Some(_) | None => Done::CallFailed,
        }
    }
}

fn blame(code: &str, message: &str, hint: Option<&str>, out: &mut Out) {
    let red = anstyle::Style::new()
        .fg_color(Some(anstyle::AnsiColor::Red.into()))
        .bold();
    out.json(&serde_json::json!({ "error": { "code": code, "message": message, "hint": hint } }));
    out.aside(format_args!("{red}error:{red:#} {message}\n  code: {code}"));
    if let Some(hint) = hint {
        out.aside(format_args!("\nhint: {hint}"));
    }
}

/// Gives a request a key of its own: however often it is sent again on the way, it dials once.
pub(super) fn keyed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header("Idempotency-Key", Uuid::new_v4().to_string())
}

pub(super) fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "the gateway does not answer any more";
    Fault::new(Blame::Gateway, code::GATEWAY_UNREACHABLE, message)
        .hint("look at what `offhook serve` printed, and start it again")
        .because(error)
}

/// An answer that is no refusal.
pub(super) async fn accepted(answer: reqwest::Response) -> Result<reqwest::Response, Fault> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await.map_err(unreachable)?;
    let problem: Problem = serde_json::from_slice(&body).map_err(garbled)?;
    // One that this build does not know is told by its sentence alone.
    let code = code::find(&problem.code).unwrap_or(code::GATEWAY_UNREACHABLE);
    let fault = Fault::new(Blame::Gateway, code, problem.title);
    Err(match problem.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    })
}

pub(super) fn garbled(error: serde_json::Error) -> Fault {
    Fault::new(
        Blame::Gateway,
        code::GATEWAY_UNREACHABLE,
        "the gateway's answer makes no sense",
    )
    .hint("is the gateway another version of offhook? restart it")
    .because(error)
}

/// How long the carrier has to confirm the end.
const PATIENCE: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_a_key_of_its_own() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let key = || {
            let request = keyed(client.post("http://127.0.0.1:9/v1/calls")).build();
            request.expect("it is one").headers()["idempotency-key"].clone()
        };
        assert_ne!(key(), key());
    }
}
