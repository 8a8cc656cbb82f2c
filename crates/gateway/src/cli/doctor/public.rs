//! Whether the public address leads here.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::{Host, Url};

use super::{Finding, Health, PATIENCE};
use crate::config::Plan;
use crate::http::{hooks, probe};
use crate::pointing;
use crate::tunnel::Exposed;
use ports::Fault;

/// Whether carriers that follow `public_url` come here, and what they send arrives as it was sent.
pub(super) async fn examine(plan: &Plan) -> Vec<Finding> {
    let listen = plan.listen;
    let here = match Here::find(plan).await {
        Ok(here) => here,
        Err(finding) => return vec![finding],
    };
    let found = look(&plan.public_url, PATIENCE).await;
    let leads = judge(&plan.public_url, listen, &here.instance, found);
    let lost = leads.health == Health::Fail;
    let mut findings = vec![leads];
    if !lost {
        for (name, carrier) in &plan.carriers {
            findings.extend(super::carrier::signed(plan, name, carrier).await);
        }
    }
    findings
}

/// How the public address came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is written, or a gateway that runs says it: numbers should be pointed at it.
    Known,
    /// By a tunnel for the length of the check: numbers are pointed at the next one.
    Opened,
}

/// Where carriers reach the gateway of this plan: as it is written, else as the gateway that runs says,
/// else by a tunnel that is opened to see whether one can be.
pub(super) async fn place(plan: &mut Plan) -> Result<(Way, Option<Exposed>), Fault> {
    if plan.expose.is_none() {
        return Ok((Way::Known, None));
    }
    if let Seen::Offhook(Healthz {
        public_url: Some(url),
        ..
    }) = look(&here(plan.listen), PATIENCE).await
    {
        plan.public_url = url;
        return Ok((Way::Known, None));
    }
    Ok((Way::Opened, pointing::open(plan).await?))
}

/// Where this machine reaches what listens there.
fn here(mut listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{listen}")
}

/// The same for an address that has only just been opened: it may take a while until everybody knows it.
pub(in crate::cli) async fn examine_patiently(plan: &Plan) -> Vec<Finding> {
    let mut findings = examine(plan).await;
    for _ in 0..TRIES {
        let lost = findings.iter().any(|it| it.health == Health::Fail);
        if !lost || plan.expose.is_none() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        findings = examine(plan).await;
    }
    findings
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
    async fn find(plan: &Plan) -> Result<Self, Finding> {
        let listen = plan.listen;
        if TcpListener::bind(listen).await.is_err() {
            return match look(&here(listen), PATIENCE).await {
                Seen::Offhook(there) => Ok(Self {
                    instance: there.instance,
                    _standing_in: None,
                }),
                Seen::Refused(_) | Seen::Redirected(_) | Seen::Another(_) => Err(Finding::fail(
                    "listen",
                    format!("something else listens on {listen}"),
                    "stop it, or change `listen` in [server]",
                )),
            };
        }
        let instance = uuid::Uuid::new_v4().to_string();
        let standing_in = stand_in(plan, instance.clone()).await.map_err(|error| {
            let message = format!("cannot listen on {listen}: {error}");
            Finding::fail("listen", message, "change `listen` in [server]")
        })?;
        Ok(Self {
            instance,
            _standing_in: Some(standing_in),
        })
    }
}

async fn stand_in(plan: &Plan, instance: String) -> std::io::Result<StandIn> {
    let listener = TcpListener::bind(plan.listen).await?;
    let health = Healthz {
        offhook: "ok".to_owned(),
        instance,
        public_url: None,
    };
    let app = Router::new()
        .route("/healthz", get(async move || Json(health)))
        .route("/{carrier}/status", post(probed))
        .with_state(plan.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(StandIn(serving.abort_handle()))
}

/// Answers a probe as the gateway would.
async fn probed(
    State(plan): State<Plan>,
    Path(name): Path<String>,
    request: axum::extract::Request,
) -> Response {
    let Some(carrier) = plan.carriers.get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (method, headers) = (&parts.method, &parts.headers);
    let request = hooks::gather(&plan.public_url, method, &parts.uri, headers, body.into());
    probe::answer(carrier.webhooks.as_ref(), &request).into_response()
}

/// What `/healthz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Healthz {
    offhook: String,
    instance: String,
    /// Older gateways do not say it.
    #[serde(default)]
    public_url: Option<String>,
}

/// What is found at an address.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A gateway, and which.
    Offhook(Healthz),
    /// To another address, or to none that is said.
    Redirected(String),
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
    let response = match client.get(format!("{address}/healthz")).send().await {
        Ok(response) => response,
        Err(error) => return Seen::Refused(reason(&error)),
    };
    let status = response.status();
    if status.is_redirection() {
        let to = response
            .headers()
            .get("location")
            .and_then(|it| it.to_str().ok());
        return Seen::Redirected(to.unwrap_or_default().to_owned());
    }
    let body = bounded(response).await;
    match serde_json::from_slice::<Healthz>(&body) {
        Ok(health) if status.is_success() => Seen::Offhook(health),
        Ok(_) | Err(_) => Seen::Another(format!("it answers {status}")),
    }
}

/// As much of a body as is read of one.
pub(super) async fn bounded(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST {
            break;
        }
    }
    body
}

pub(super) fn reason(error: &reqwest::Error) -> String {
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
        Seen::Offhook(there) if there.instance == instance => {
            if is_loopback(address) {
                return Finding {
                    what: what.to_owned(),
                    health: Health::Warn,
                    message: format!("{address} leads here, but only from this machine"),
                    hint: Some("a carrier out there needs an address of its own to reach".into()),
                };
            }
            if !address.starts_with("https://") {
                let message =
                    format!("{address} leads here, but is not https, so carriers refuse it");
                return Finding::fail(what, message, "put a TLS proxy or a tunnel in front");
            }
            Finding::ok(what, format!("{address} leads here"))
        }
        Seen::Offhook(_) => {
            Finding::fail(what, format!("{address} leads to another offhook"), pass_on)
        }
        Seen::Redirected(to) => {
            let message =
                format!("{address} sends whoever comes on to {to:?}, where no webhook follows");
            let hint = format!("write the address that answers by itself, and {pass_on}");
            Finding::fail(what, message, hint)
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

const LONGEST: usize = 4_096;

/// A new name is known everywhere within some seconds.
const TRIES: usize = 8;
const PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_address_that_is_not_https_is_refused_by_carriers() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8787));
        let seen = || {
            Seen::Offhook(Healthz {
                offhook: "ok".to_owned(),
                instance: "mine".to_owned(),
                public_url: None,
            })
        };
        let open = judge("http://voice.example.com", listen, "mine", seen());
        assert!(
            open.health == Health::Fail && open.message.contains("is not https"),
            "{open:?}"
        );
        let well = judge("https://voice.example.com", listen, "mine", seen());
        assert_eq!(well.health, Health::Ok, "{well:?}");
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
            public_url: None,
        };
        let app = Router::new().route("/healthz", get(async move || Json(health)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (address, format!("http://{address}"))
    }
}
