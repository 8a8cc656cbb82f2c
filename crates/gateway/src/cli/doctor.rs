//! `offhook doctor`: tries everything a call needs, and says how to mend what is not right.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use ports::Fault;
use ports::agent::Answerer;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use speech::models::{State, Store};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::{Host, Url};

use super::config::Summary;
use super::{Done, Out, lists};
use crate::config::{self, ConfigProblem, Plan};

/// Everything that was tried.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether nothing failed.
    pub(super) ok: bool,
    /// In the order tried.
    pub(super) checks: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was tried.
    pub(super) what: String,
    /// How it is.
    pub(super) health: Health,
    /// What was found.
    pub(super) message: String,
    /// How to mend it.
    pub(super) hint: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// As it should be.
    Ok,
    /// Calls work, but perhaps not as meant.
    Warn,
    /// Calls do not work.
    Fail,
}

/// Examines, and prints each finding as it is made.
pub(super) async fn run(config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let mut checks = Checks {
        out,
        made: Vec::new(),
    };
    checks.add(clock(Timestamp::now()));
    let path = config::find(config.as_deref());
    match config::load(&path, &lists()) {
        Err(problems) => {
            for problem in &problems {
                checks.add(Finding::config(Health::Fail, problem));
            }
            checks.add(models(Talking::Unknown).await);
        }
        Ok(loaded) => {
            for warning in &loaded.warnings {
                checks.add(Finding::config(Health::Warn, warning));
            }
            let summary = Summary::of(&loaded.plan).render();
            checks.add(Finding::ok(
                "config",
                format!("{}: {summary}", path.display()),
            ));
            examine(&loaded.plan, &mut checks).await;
        }
    }
    let ok = checks.made.iter().all(|it| it.health != Health::Fail);
    let report = Report {
        ok,
        checks: checks.made,
    };
    out.line(if ok {
        "ready for calls"
    } else {
        "not ready yet: mend what is marked ✗"
    });
    out.json(&report);
    Ok(if ok { Done::Well } else { Done::Refused })
}

/// Prints findings as they come, and keeps them.
struct Checks<'o> {
    out: &'o mut Out,
    made: Vec<Finding>,
}

impl Checks<'_> {
    fn add(&mut self, finding: Finding) {
        self.out.line(finding.render());
        self.made.push(finding);
    }
}

/// Tries everything that the plan names.
async fn examine(plan: &Plan, checks: &mut Checks<'_>) {
    for (name, carrier) in &plan.carriers {
        let what = format!("carrier {name}");
        checks.add(ask(what, carrier.calls.check()).await);
    }
    let mut talking = Talking::Nobody;
    for (name, agent) in &plan.agents {
        let what = format!("agent {name}");
        match &agent.answerer {
            Answerer::Words { agent, .. } => {
                talking = Talking::Somebody;
                checks.add(ask(what, agent.check()).await);
            }
            Answerer::Loopback => checks.add(Finding::ok(what, "needs nothing")),
        }
    }
    checks.add(models(talking).await);
    if let Some(dir) = &plan.recordings {
        checks.add(recordings(dir));
    }
    checks.add(public_url(plan).await);
}

async fn ask(what: String, check: impl Future<Output = Result<String, Fault>>) -> Finding {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(line)) => Finding::ok(what, line),
        Ok(Err(fault)) => Finding {
            what,
            health: Health::Fail,
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        },
        Err(_) => Finding::fail(what, "did not answer", "is the network up?"),
    }
}

/// Whether any agent works with words, and so needs models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talking {
    Somebody,
    Nobody,
    Unknown,
}

async fn models(talking: Talking) -> Finding {
    let states = tokio::task::spawn_blocking(|| Store::of_user().list()).await;
    let states = states.unwrap_or_default();
    let missing: Vec<&str> = states
        .iter()
        .filter(|model| !matches!(model.state, State::Present(_)))
        .map(|model| model.name.as_str())
        .collect();
    if missing.is_empty() {
        let message = format!("all {} are here", states.len());
        return Finding::ok("models", message);
    }
    let health = match talking {
        Talking::Somebody => Health::Fail,
        Talking::Nobody | Talking::Unknown => Health::Warn,
    };
    Finding {
        what: "models".to_owned(),
        health,
        message: format!("not here, or not right: {}", missing.join(", ")),
        hint: Some("run `offhook models fetch`".to_owned()),
    }
}

fn recordings(dir: &Path) -> Finding {
    let shown = dir.display();
    let probe = dir.join(".offhook-doctor");
    let tried = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&probe, "may I?"));
    // It was only there to be tried.
    let _ = std::fs::remove_file(&probe);
    match tried {
        Ok(()) => Finding::ok("recordings", format!("kept in {shown}")),
        Err(error) => Finding::fail(
            "recordings",
            format!("{shown} cannot be written to: {error}"),
            "change `dir` in [recordings], or grant access to it",
        ),
    }
}

/// A clock that is far off makes every certificate look wrong.
fn clock(now: Timestamp) -> Finding {
    let year = now.to_string().chars().take(4).collect::<String>();
    match year.parse::<u32>() {
        Ok(2026..=2099) => Finding::ok("clock", format!("{now:.0}")),
        Ok(_) | Err(_) => Finding::fail(
            "clock",
            format!("says {now:.0}, which cannot be"),
            "set it, or let it be set: `timedatectl set-ntp true`",
        ),
    }
}

/// Whether carriers that follow `public_url` come here.
async fn public_url(plan: &Plan) -> Finding {
    let listen = plan.listen;
    let here = match Here::find(listen).await {
        Ok(here) => here,
        Err(finding) => return finding,
    };
    let found = look(&plan.public_url, PATIENCE).await;
    judge(&plan.public_url, listen, &here.instance, found)
}

/// Who answers where we listen, for the length of the check.
struct Here {
    instance: String,
    _standing_in: Option<StandIn>,
}

/// Listens in the gateway's place while it is not running.
struct StandIn(AbortHandle);

impl Drop for StandIn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Here {
    async fn find(listen: SocketAddr) -> Result<Self, Finding> {
        if TcpListener::bind(listen).await.is_err() {
            let mut address = listen;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            return match look(&format!("http://{address}"), PATIENCE).await {
                Seen::Offhook(instance) => Ok(Self {
                    instance,
                    _standing_in: None,
                }),
                Seen::Refused(_) | Seen::Another(_) => Err(Finding::fail(
                    "listen",
                    format!("something else listens on {listen}"),
                    "stop it, or change `listen` in [server]",
                )),
            };
        }
        let instance = uuid::Uuid::new_v4().to_string();
        let standing_in = stand_in(listen, instance.clone()).await.map_err(|error| {
            let message = format!("cannot listen on {listen}: {error}");
            Finding::fail("listen", message, "change `listen` in [server]")
        })?;
        Ok(Self {
            instance,
            _standing_in: Some(standing_in),
        })
    }
}

async fn stand_in(listen: SocketAddr, instance: String) -> std::io::Result<StandIn> {
    let listener = TcpListener::bind(listen).await?;
    let health = Healthz {
        offhook: "ok".to_owned(),
        instance,
    };
    let app = Router::new().route("/healthz", get(async move || Json(health)));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(StandIn(serving.abort_handle()))
}

/// What `/healthz` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Healthz {
    offhook: String,
    instance: String,
}

/// What is found at an address.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A gateway, and which.
    Offhook(String),
    /// Something else; what it answered.
    Another(String),
    /// Nothing; why.
    Refused(String),
}

async fn look(address: &str, patience: Duration) -> Seen {
    match tokio::time::timeout(patience, request(address)).await {
        Ok(seen) => seen,
        Err(_) => Seen::Refused("nothing answers in time".to_owned()),
    }
}

async fn request(address: &str) -> Seen {
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy();
    let client = match client.build() {
        Ok(client) => client,
        Err(error) => return Seen::Refused(reason(&error)),
    };
    let mut response = match client.get(format!("{address}/healthz")).send().await {
        Ok(response) => response,
        Err(error) => return Seen::Refused(reason(&error)),
    };
    let status = response.status();
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST {
            break;
        }
    }
    match serde_json::from_slice::<Healthz>(&body) {
        Ok(health) if status.is_success() => Seen::Offhook(health.instance),
        Ok(_) | Err(_) => Seen::Another(format!("it answers {status}")),
    }
}

fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn judge(address: &str, listen: SocketAddr, instance: &str, seen: Seen) -> Finding {
    let what = "public_url";
    let pass_on = format!("let your tunnel or proxy pass {address} on to http://{listen}");
    match seen {
        Seen::Offhook(there) if there == instance => {
            if is_loopback(address) {
                return Finding {
                    what: what.to_owned(),
                    health: Health::Warn,
                    message: format!("{address} leads here, but only from this machine"),
                    hint: Some("a carrier out there needs an address of its own to reach".into()),
                };
            }
            Finding::ok(what, format!("{address} leads here"))
        }
        Seen::Offhook(_) => {
            Finding::fail(what, format!("{address} leads to another offhook"), pass_on)
        }
        Seen::Another(answer) => {
            let message = format!("{address} leads to something that is not offhook: {answer}");
            Finding::fail(what, message, pass_on)
        }
        Seen::Refused(why) => {
            let message = format!("{address} cannot be reached: {why}");
            Finding::fail(
                what,
                message,
                format!("start your tunnel or proxy, and {pass_on}"),
            )
        }
    }
}

fn is_loopback(address: &str) -> bool {
    let url = Url::parse(address).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Finding {
    fn ok(what: impl Into<String>, message: impl Into<String>) -> Self {
        let (what, message) = (what.into(), message.into());
        Self {
            what,
            health: Health::Ok,
            message,
            hint: None,
        }
    }

    fn fail(what: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (what, message, hint) = (what.into(), message.into(), Some(hint.into()));
        Self {
            what,
            health: Health::Fail,
            message,
            hint,
        }
    }

    fn config(health: Health, problem: &ConfigProblem) -> Self {
        let message = format!("{} (at {})", problem.message, problem.at());
        let hint = Some(problem.hint.clone());
        Self {
            what: "config".to_owned(),
            health,
            message,
            hint,
        }
    }

    /// For people: a line, and one for the hint.
    pub(super) fn render(&self) -> String {
        let (sign, colour) = match self.health {
            Health::Ok => ("✓", AnsiColor::Green),
            Health::Warn => ("!", AnsiColor::Yellow),
            Health::Fail => ("✗", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into()));
        let line = format!("{style}{sign}{style:#} {}: {}", self.what, self.message);
        match &self.hint {
            Some(hint) => format!("{line}\n    hint: {hint}"),
            None => line,
        }
    }
}

/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(12);
const LONGEST: usize = 4_096;

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;
    use crate::config::fakes::LISTS;

    #[tokio::test]
    async fn an_address_that_leads_here_is_told_from_others() {
        let (address, url) = serve("mine").await;
        let judge = async |url: &str, instance: &str| {
            let seen = look(url, PATIENCE).await;
            super::judge(url, address, instance, seen)
        };
        let here = judge(&url, "mine").await;
        // It is a loopback address, and no carrier comes by that.
        assert_eq!(here.health, Health::Warn);
        assert!(here.message.contains("leads here"), "{here:?}");
        let other = judge(&url, "another").await;
        assert_eq!(other.health, Health::Fail);
        assert!(
            other.message.ends_with("leads to another offhook"),
            "{other:?}"
        );
        let lost = judge(&format!("{url}/elsewhere"), "mine").await;
        assert!(
            lost.message.contains("not offhook: it answers 404"),
            "{lost:?}"
        );
        assert!(
            lost.hint
                .is_some_and(|it| it.contains(&address.to_string()))
        );
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_says_so() {
        install_tls();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let url = format!("http://{address}");
        // It takes the connection, and never a word.
        let seen = look(&url, Duration::from_millis(50)).await;
        assert_eq!(seen, Seen::Refused("nothing answers in time".to_owned()));
        drop(listener);
        let seen = look(&url, PATIENCE).await;
        assert!(
            matches!(&seen, Seen::Refused(why) if why.contains("refused")),
            "{seen:?}"
        );
        let finding = judge(&url, address, "mine", seen);
        assert!(
            finding
                .hint
                .is_some_and(|it| it.starts_with("start your tunnel or proxy"))
        );
    }

    #[tokio::test]
    async fn something_else_there_is_no_gateway() {
        install_tls();
        let app = Router::new().route(
            "/healthz",
            get(async || (StatusCode::OK, "{\"status\":\"up\"}")),
        );
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        assert_eq!(
            look(&url, PATIENCE).await,
            Seen::Another("it answers 200 OK".to_owned())
        );
    }

    #[tokio::test]
    async fn carriers_and_agents_are_asked() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("offhook.toml");
        for (whistle, health) in [("tweet", Health::Ok), ("silence", Health::Fail)] {
            let text = format!(
                "[server]\npublic_url = \"http://127.0.0.1:1\"\n[carriers.pigeon]\n\
                 coop = \"north\"\nwhistle = \"{whistle}\"\n[agents.reception]\nkind = \"parrot\"\n"
            );
            std::fs::write(&path, text).expect("the folder is ours");
            let loaded = config::load(&path, &LISTS).expect("it is right");
            let carrier = &loaded.plan.carriers["pigeon"];
            let finding = ask("carrier pigeon".to_owned(), carrier.calls.check()).await;
            assert_eq!(finding.health, health);
            if health == Health::Fail {
                let plain = anstream::adapter::strip_str(&finding.render()).to_string();
                assert_eq!(
                    plain,
                    "✗ carrier pigeon: wrong whistle\n    hint: whistle better"
                );
            }
        }
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_wrong() {
        assert_eq!(clock(Timestamp::UNIX_EPOCH).health, Health::Fail);
        let now: Timestamp = "2026-11-22T14:08:11Z".parse().expect("it is a time");
        assert_eq!(clock(now), Finding::ok("clock", "2026-11-22T14:08:11Z"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_found() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        assert_eq!(recordings(&folder.path().join("new")).health, Health::Ok);
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("the folder is ours");
        assert_eq!(recordings(&file.join("below")).health, Health::Fail);
    }

    /// As the program does at its start.
    fn install_tls() {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }

    async fn serve(instance: &str) -> (SocketAddr, String) {
        install_tls();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let health = Healthz {
            offhook: "ok".to_owned(),
            instance: instance.to_owned(),
        };
        let app = Router::new().route("/healthz", get(async move || Json(health)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (address, format!("http://{address}"))
    }
}
