//! What a carrier says of the account, of its numbers, and of what it sends us.

use std::time::{Duration, SystemTime};

use call::Number;
use ports::Fault;
use ports::account::{Account, Numbers, Obstacle, OwnNumber, Routed, Takes};
use ports::carrier::Carrier;
use reqwest::redirect::Policy;

use super::public::Way;
use super::{Finding, Health, PATIENCE, ask, in_time};
use crate::config::Plan;
use crate::http::probe::{self, Arrived};
use crate::pointing;

/// Everything that can be asked of the carrier in this table, and of its numbers.
pub(super) async fn examine(plan: &Plan, name: &str, carrier: &Carrier, way: Way) -> Vec<Finding> {
    let what = format!("carrier {name}");
    let first = ask(what.clone(), carrier.calls.check()).await;
    let refused = first.health == Health::Fail;
    let mut findings = vec![first];
    if refused {
        // The rest would say the same.
        return findings;
    }
    if let Some(account) = &carrier.account {
        findings.extend(standing(&what, plan, account.as_ref()).await);
        findings.extend(time(&what, account.as_ref()).await);
    }
    if let Some(numbers) = &carrier.numbers {
        let ours = plan.numbers.iter().filter(|(_, it)| it.carrier == name);
        for (number, _) in ours {
            findings.push(routed((plan, way), name, number, numbers.as_ref()).await);
        }
    }
    findings
}

/// What the account may not do.
async fn standing(what: &str, plan: &Plan, account: &dyn Account) -> Vec<Finding> {
    let to: Vec<&Number> = plan.rules.call.value.named().collect();
    let obstacles = match in_time(account.obstacles(&to)).await {
        Ok(obstacles) => obstacles,
        Err(fault) => return vec![Finding::of_fault(what, Health::Warn, &fault)],
    };
    let finding = |it: &Obstacle| match it {
        Obstacle::All(fault) => Finding::of_fault(what, Health::Fail, fault),
        Obstacle::Some(fault) => Finding::of_fault(what, Health::Warn, fault),
    };
    obstacles.iter().map(finding).collect()
}

/// Whether the carrier's clock and ours agree.
async fn time(what: &str, account: &dyn Account) -> Option<Finding> {
    let theirs = match in_time(account.time()).await {
        Ok(theirs) => theirs,
        Err(fault) => return Some(Finding::of_fault(what, Health::Warn, &fault)),
    };
    let (off, where_to) = match SystemTime::now().duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    (off > TOLERANCE).then(|| {
        let seconds = off.as_secs();
        Finding::fail(
            "clock",
            format!(
                "this machine's clock is {seconds} s {where_to} that of the {what}, which is \
                     more than a signature may be old"
            ),
            "set it, or let it be set: `timedatectl set-ntp true`",
        )
    })
}

/// Whether calls to a number are asked about here.
async fn routed(
    (plan, way): (&Plan, Way),
    name: &str,
    number: &Number,
    numbers: &dyn Numbers,
) -> Finding {
    let what = format!("number {number:?}");
    let found = match in_time(numbers.find(number)).await {
        Ok(found) => found,
        Err(fault) => return Finding::of_fault(&what, Health::Fail, &fault),
    };
    judge((plan, way), name, what, found)
}

fn judge((plan, way): (&Plan, Way), name: &str, what: String, found: Option<OwnNumber>) -> Finding {
    let Some(found) = found else {
        let message = format!("it is not a number of this account of carrier {name}");
        return Finding::fail(
            what,
            message,
            "compare it with the account's, which `offhook setup` lists",
        );
    };
    if found.takes == Takes::Messages {
        let message = "it is for messages, and takes no calls";
        return Finding::fail(
            what,
            message,
            "use another number of the account, or buy one with voice",
        );
    }
    let ours = pointing::addresses(&plan.public_url, name);
    let point = "run `offhook setup`, which points it here".to_owned();
    match found.routed {
        Routed::Here(there) if pointing::is_at(&there, &ours) => {
            Finding::ok(what, format!("its webhooks come to {}", there.voice))
        }
        Routed::Here(there) if way == Way::Opened && pointing::is_some(&there, name) => {
            Finding::ok(what, "`offhook serve` points it at the tunnel it opens")
        }
        Routed::Here(there) if there.voice == ours.voice => Finding {
            what,
            health: Health::Warn,
            message: match there.status.as_str() {
                "" => "how its calls end is told to nobody".to_owned(),
                other => format!(
                    "how its calls end is told to {other}, and should be to {}",
                    ours.status
                ),
            },
            hint: Some(point),
        },
        Routed::Here(there) => {
            let message = format!(
                "its webhooks go to {}, and by the configuration they should come to {}",
                there.voice, ours.voice
            );
            Finding::fail(what, message, point)
        }
        Routed::Elsewhere(other) => {
            let message = format!("it belongs to {other}, so calls to it do not come here");
            Finding::fail(
                what,
                message,
                format!("{point}, or take it away from that by hand"),
            )
        }
        Routed::Nowhere => Finding::fail(what, "nobody is asked about calls to it", point),
    }
}

/// Sends ourselves a webhook through the public address, signed as the carrier would, and sees whether
/// it arrives so.
pub(super) async fn signed(plan: &Plan, name: &str, carrier: &Carrier) -> Option<Finding> {
    let signs = carrier.signs.as_ref()?;
    let what = format!("webhooks of {name}");
    // What some proxies rewrite: an escape that need not be, and a comma that need not.
    let sent = format!("{}/{name}/status?call=%70robe,1", plan.public_url);
    let request = signs.webhook(&sent);
    let length = request.body.len();
    let arrived = match tokio::time::timeout(PATIENCE, send(request)).await {
        Ok(Ok(arrived)) => arrived,
        Ok(Err(why)) => {
            let message = format!("one sent to {sent} does not arrive: {why}");
            return Some(Finding::fail(what, message, UNCHANGED));
        }
        Err(_) => {
            let message = format!("one sent to {sent} is not answered in time");
            return Some(Finding::fail(what, message, UNCHANGED));
        }
    };
    Some(compare(what, &sent, length, &arrived))
}

fn compare(what: String, sent: &str, length: usize, arrived: &Arrived) -> Finding {
    if arrived.doubt.is_empty() {
        return Finding::ok(what, "one that was signed arrives as it was sent");
    }
    if arrived.url != sent {
        let message = format!(
            "their signature fails: one sent to {sent} arrives as if sent to {}",
            arrived.url
        );
        return Finding::fail(what, message, UNCHANGED);
    }
    let doubt = &arrived.doubt;
    if arrived.length != length {
        let message = format!(
            "their signature fails, since something on the way changes their body: {doubt}"
        );
        return Finding::fail(what, message, UNCHANGED);
    }
    let message = format!("their signature fails: {doubt}");
    Finding::fail(
        what,
        message,
        "let your tunnel or proxy pass on every header; if it does, the gateway that runs has other \
         credentials than this configuration",
    )
}

async fn send(request: ports::carrier::Request) -> Result<Arrived, String> {
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy();
    let client = client.build().map_err(|error| error.to_string())?;
    let mut post = client
        .post(&request.url)
        .header(probe::HEADER, "1")
        .body(request.body);
    for (name, value) in &request.headers {
        post = post.header(name, value);
    }
    let answer = post
        .send()
        .await
        .map_err(|error| super::public::reason(&error))?;
    let status = answer.status();
    let body = super::public::bounded(answer).await;
    serde_json::from_slice(&body).map_err(|_| format!("it is answered {status}"))
}

impl Finding {
    pub(super) fn of_fault(what: &str, health: Health, fault: &Fault) -> Self {
        Self {
            what: what.to_owned(),
            health,
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}

/// How far apart two clocks may be. Some carriers' signatures are good for five minutes, and the road takes some.
const TOLERANCE: Duration = Duration::from_secs(60);

const UNCHANGED: &str = "let your tunnel or proxy pass on path, query, headers and body as they are, without a redirect";
