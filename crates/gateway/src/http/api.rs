//! What an owner may ask for: the same things as on the command line.

use std::path::PathBuf;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::{Dialling, Keys, Private};
use ports::agent::Objective;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::approvals::held;
use super::ask::{Asked, Given, Keyed, Named, replayed, senseless};
use super::guard::Owner;
use super::outcome::{ObjectiveOrder, OutcomeView};
use super::pace::{Bearer, places};
use super::{Desk, Problem};
use crate::access::Scope;
use crate::journal::Summary;
use crate::metrics::metrics;
use crate::switchboard::{
    Approval, CallId, OnMachine, Placed, Proposal, Purpose, Record, Report, Wish,
};

/// A call to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Whom to call: in E.164 form, or a contact's name. Only a `token` makes it unnecessary.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(example = "+15551234567")]
    pub to: String,
    /// From which of our numbers; absent: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// With which agent; absent: the number's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Whether to stay and talk after saying it.
    #[serde(default)]
    pub converse: bool,
    /// What to do when a machine picks up; absent: leave it what was to be said, or to talk, do as the
    /// agent's table in the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_machine: Option<OnMachineOrder>,
    /// What to leave it, if not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_message: Option<String>,
    /// What the call is for: written down with it, told to its agent, and wanted for people other than the owner
    /// where `consent` in `[policy]` is `required`. The goal of an `objective` without more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub purpose: Option<String>,
    /// The same with more to it: what its agent may go by, what it is not to say, and what it is to find out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<ObjectiveOrder>,
    /// That of a plan: makes exactly that call, so nothing else stands beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Whether to make it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whether {
    /// There, with any value or none: nobody is dialled. It is told whether the call could be made, for how
    /// much at most, and which token makes it.
    #[serde(default)]
    #[param(nullable = false)]
    plan: Option<String>,
}

/// What would come of a call.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PlanView {
    /// Whether it could be made now.
    allowed: bool,
    /// The line of the configuration that allows it, or the code of what refuses it.
    rule: String,
    /// Why.
    reason: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<String>,
    /// The most that it can cost, in the currency of `[rates]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    price_ceiling: Option<f64>,
    /// Makes exactly this call, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
    /// Which rule has the call wait for the owner's yes once it is asked for; absent: none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    asks: Option<String>,
    /// How many seconds the token is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    good_for: Option<u64>,
}

impl PlanView {
    fn of(proposal: Proposal) -> Self {
        Self {
            allowed: true,
            rule: proposal.permit.rule,
            reason: "the owner lets it be called".to_owned(),
            hint: None,
            price_ceiling: Some(proposal.permit.ceiling.as_micros() as f64 / 1e6),
            token: Some(proposal.token),
            asks: proposal.asks,
            good_for: Some(proposal.good_for.as_secs()),
        }
    }

    fn of_refusal(fault: Fault) -> Self {
        Self {
            allowed: false,
            rule: fault.code.to_owned(),
            reason: fault.to_string(),
            hint: fault.hint,
            price_ceiling: None,
            token: None,
            asks: None,
            good_for: None,
        }
    }
}

/// What to do when a machine picks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OnMachineOrder {
    /// Hang up.
    HangUp,
    /// Leave a message, once its greeting is over.
    Leave,
    /// Treat it as a person.
    Talk,
}

impl Order {
    /// Whether it says whom to call, or has a token that does, and not both.
    fn check(&self) -> Result<(), &'static str> {
        let alone = || Self {
            token: self.token.clone(),
            ..Self::default()
        };
        match (&self.token, self.to.is_empty()) {
            (None, false) => Ok(()),
            (None, true) => Err("missing field `to`: whom to call"),
            (Some(_), _) if *self == alone() => Ok(()),
            (Some(_), _) => Err("a token says all there is to say: nothing stands beside it"),
        }?;
        if self.purpose.is_some() && self.objective.is_some() {
            return Err("`purpose` is the `goal` of an `objective`: one of the two says it");
        }
        Ok(())
    }

    /// The same, as the switchboard wants it, for whoever asks with this token.
    fn into_wish_of(self, bearer: Bearer) -> Wish {
        let wish = self.into_wish();
        // Whoever wanted something of a call may say what came of it.
        let asked_by = wish.objective.is_some().then(|| bearer.name());
        Wish { asked_by, ..wish }
    }

    /// The same, as the switchboard wants it.
    pub fn into_wish(self) -> Wish {
        let objective = match (self.objective, self.purpose) {
            (Some(objective), _) => Some(objective.into()),
            (None, purpose) => purpose.map(|it| Objective::goal(it.into())),
        };
        let purpose = match (self.say, self.converse) {
            (None, _) => Purpose::Converse,
            (Some(text), true) => Purpose::ConverseFrom(text.into()),
            (Some(text), false) => Purpose::Notify(text.into()),
        };
        let on_machine = match (self.on_machine, self.machine_message) {
            (None | Some(OnMachineOrder::Leave), Some(text)) => OnMachine::LeaveThis(text.into()),
            (None, None) => OnMachine::AsUsual,
            (Some(OnMachineOrder::Leave), None) => OnMachine::Leave,
            (Some(OnMachineOrder::HangUp), _) => OnMachine::HangUp,
            (Some(OnMachineOrder::Talk), _) => OnMachine::Talk,
        };
        Wish {
            on_machine,
            to: self.to,
            from: self.from,
            agent: self.agent,
            purpose,
            objective,
            asked_by: None,
            ceiling: None,
        }
    }
}

/// A call as owners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallView {
    /// Our name for it.
    pub id: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// Our number.
    #[schema(value_type = String)]
    pub number: Private<String>,
    /// The person's number, if it is known.
    #[schema(value_type = Option<String>)]
    pub caller: Option<Private<String>>,
    /// By which carrier.
    pub carrier: String,
    /// Which agent answers.
    pub agent: String,
    /// When it began.
    pub time: String,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
    /// Where its dial stands, where it is not simply that its carrier took it: `sending`, `refused`, or
    /// `unknown` while its carrier is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub dial: Option<String>,
    /// What it is to achieve, if somebody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub objective: Option<Private<String>>,
    /// What came of it: of a call with an objective that is over, once that is known, which takes no longer than half a
    /// minute. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OutcomeView>, nullable = false)]
    pub outcome: Option<Private<OutcomeView>>,
    /// What broke before the call could say so itself.
    pub fault: Option<Report>,
    /// What its agent noted on it, for you.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub notes: Vec<Private<String>>,
}

/// How a call ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ended {
    /// Who ended it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Milliseconds after it began.
    pub ms: u64,
}

impl CallView {
    /// A call of this process.
    pub(super) fn of_record(record: &Record) -> Self {
        let dial = match record.dialling() {
            Dialling::Queued | Dialling::Placed => None,
            state @ (Dialling::Sending | Dialling::Refused | Dialling::Unknown) => Some(state),
        };
        Self::new(record.log.summary(), dial, record.fault())
    }

    /// A call of the journal, which may be up.
    fn of_journal(summary: Summary, dial: Option<Dialling>, desk: &Desk) -> Self {
        let record = CallId::parse(&summary.id).and_then(|id| desk.board.call(id));
        Self::new(summary, dial, record.as_ref().and_then(|it| it.fault()))
    }

    fn new(summary: Summary, dial: Option<Dialling>, fault: Option<&Report>) -> Self {
        let text = |key: &str| summary.began[key].as_str().unwrap_or_default().to_owned();
        let end = summary.ended.as_ref().map(|it| Ended {
            by: it["by"].as_str().unwrap_or_default().to_owned(),
            why: it["why"].as_str().unwrap_or_default().to_owned(),
            ms: it["ms"].as_u64().unwrap_or_default(),
        });
        Self {
            direction: text("direction"),
            number: text("number").into(),
            caller: summary.began["caller"].as_str().map(Private::from),
            carrier: text("carrier"),
            agent: text("agent"),
            time: text("time"),
            ended: end,
            dial: dial.map(|it| it.name().to_owned()),
            objective: summary.began["objective"].as_str().map(Private::from),
            outcome: None,
            fault: fault.cloned(),
            notes: Vec::new(),
            id: summary.id,
        }
    }
}

/// How the gateway is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `ready`.
    offhook: &'static str,
    /// Names this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instance: Option<String>,
    /// Where carriers reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    public_url: Option<String>,
}

/// Something to say.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The words.
    pub text: String,
}

/// Whether the gateway runs
#[utoipa::path(get, path = "/healthz", tag = "gateway", security(()),
    responses((status = 200, description = "It does.", body = Health)))]
pub(super) async fn healthz(State(desk): State<Desk>) -> Response {
    let public_url = Some(desk.board.plan().public_url.clone());
    let (offhook, instance) = ("ok", Some(desk.instance));
    Json(Health {
        offhook,
        instance,
        public_url,
    })
    .into_response()
}

/// Whether calls would be taken
#[utoipa::path(get, path = "/readyz", tag = "gateway", security(()),
    responses(
        (status = 200, description = "They would.", body = Health),
        (status = 503, description = "They would not, and this is why.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn readyz(State(desk): State<Desk>) -> Response {
    match desk.board.ready() {
        Ok(()) => Json(Health {
            offhook: "ready",
            instance: None,
            public_url: None,
        })
        .into_response(),
        Err(fault) => Problem::answer_with(StatusCode::SERVICE_UNAVAILABLE, &fault),
    }
}

/// What the gateway counts of itself
///
/// In Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "gateway",
    responses((status = 200, description = "The figures.", content_type = "text/plain", body = String)))]
pub(super) async fn figures(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (kind, metrics().text(&desk.board)).into_response()
}

/// Make a call
///
/// Answered as soon as the call exists; whether anyone picks up is told by its events. With an
/// `Idempotency-Key`, the same request is carried out once, also across restarts. With `?plan` nobody is
/// dialled: the answer says whether somebody could be, and has a token that makes exactly that call, once.
#[utoipa::path(post, path = "/v1/calls", tag = "calls",
    params(Whether, Keyed),
    request_body = Order,
    responses(
        (status = 201, description = "The call was made.", body = CallView),
        (status = 202, description = "It waits for the owner's yes.", body = super::approvals::ApprovalView),
        (status = 200, description = "The call that the same request made before; or what would come of it.", body = CallView,
            headers(("idempotent-replayed" = String, description = "`true`"))),
        (status = 400, description = "The body is no JSON, or the Idempotency-Key makes no sense.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The policy does not allow it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The same request was begun before, and what became of it is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not what a call is made of, or the key was used for something else.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many calls are up, or were made in the last hour, or by this token in the last minute, as may be.", body = Problem, content_type = "application/problem+json",
            headers(("retry-after" = u64, description = "Where it is the token's minute: in so many seconds there is room."))),
        (status = 502, description = "The carrier, the agent or a vendor of speech failed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No call is taken now: the journal cannot be written, or speech is overloaded.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn dial(
    State(desk): State<Desk>,
    Extension(bearer): Extension<Bearer>,
    keyed: Keyed,
    Asked(whether): Asked<Whether>,
    Given(order): Given<Order>,
) -> Response {
    if let Err(what) = order.check() {
        return senseless(StatusCode::UNPROCESSABLE_ENTITY, what);
    }
    let places = match places(&desk, bearer, usize::from(whether.plan.is_none())) {
        Ok(places) => places,
        Err(too_often) => return *too_often,
    };
    let placed = match (keyed.once(&order), &order.token, whether.plan) {
        (_, Some(_), Some(_)) => {
            return senseless(
                StatusCode::UNPROCESSABLE_ENTITY,
                "a token is of a plan that there is",
            );
        }
        (_, None, Some(_)) => return plan(&desk, order, bearer).await,
        // It is a key of its own.
        (_, Some(token), None) => desk.board.carry_out(token).await,
        (None, None, None) => desk.board.ask_or_dial(order.into_wish_of(bearer)).await,
        (Some(once), None, None) => {
            let wish = order.into_wish_of(bearer);
            desk.board.dial_once(once, wish).await
        }
    };
    match placed {
        Ok(Placed::Now(record)) => {
            places.taken();
            (StatusCode::CREATED, Json(CallView::of_record(&record))).into_response()
        }
        Ok(Placed::Held(approval)) => {
            places.taken();
            held(*approval)
        }
        Ok(Placed::Before(call)) => before(&desk, call).await,
        Err(fault) => {
            metrics().refused("outbound", &fault);
            Problem::answer(&fault)
        }
    }
}

async fn plan(desk: &Desk, order: Order, bearer: Bearer) -> Response {
    let view = match desk.board.propose(order.into_wish_of(bearer)).await {
        Ok(proposal) => PlanView::of(proposal),
        Err(fault) if fault.code.starts_with("policy.") => PlanView::of_refusal(fault),
        Err(fault) => return Problem::answer(&fault),
    };
    Json(view).into_response()
}

/// The call that the same request led to before.
async fn before(desk: &Desk, call: String) -> Response {
    match view(desk, call.clone()).await {
        Ok(Some(view)) => replayed(Json(view)),
        Ok(None) => match desk.board.approval(&call).await {
            Ok(Some(approval)) => waits(approval),
            Ok(None) => Problem::answer(&unsure()),
            Err(fault) => Problem::answer(&fault),
        },
        Err(fault) => Problem::answer(&fault),
    }
}

/// What became of a request whose call waits for the owner, or waited.
fn waits(approval: Approval) -> Response {
    let message = match approval.state {
        "waiting" => return held(approval),
        "refused" => "the owner said no to that call",
        "too_late" => "the owner said nothing about that call in time",
        _ => return Problem::answer(&unsure()),
    };
    let fault = Fault::new(Blame::Config, code::POLICY_APPROVAL, message);
    Problem::answer(&fault.hint("ask again with a new key"))
}

pub(super) fn unsure() -> Fault {
    let message = "that request was begun before, and what became of it is not known";
    Fault::new(Blame::Gateway, code::CALL_UNSURE, message)
        .hint("look at the carrier's list of calls before you ask again with a new key")
}

/// Which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listed {
    /// How many, at most.
    #[serde(default = "a_hundred")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    most: usize,
    /// Only those that are up.
    #[serde(default)]
    #[param(default = false)]
    up: bool,
}

fn a_hundred() -> usize {
    100
}

/// The calls there are and have been
///
/// The latest first.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", params(Listed),
    responses(
        (status = 200, description = "The calls.", body = [CallView]),
        (status = 400, description = "A parameter makes no sense.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Asked(listed): Asked<Listed>,
) -> Response {
    if !(1..=MOST_CALLS).contains(&listed.most) {
        let message = format!("most is from 1 to {MOST_CALLS}");
        return senseless(StatusCode::BAD_REQUEST, message);
    }
    if listed.up {
        let up = desk.board.calls().into_iter();
        let up = up.filter(|it| !it.log.is_closed()).take(listed.most);
        return Json(up.map(|it| CallView::of_record(&it)).collect::<Vec<_>>()).into_response();
    }
    let calls = async {
        let calls = desk.board.journal().reader()?.calls(listed.most).await?;
        let ids = calls.iter().map(|it| it.id.clone()).collect();
        Ok::<_, Fault>((calls, desk.board.jobs().not_placed(ids).await?))
    };
    match calls.await {
        Ok((calls, jobs)) => {
            let calls = calls.into_iter().map(|it| {
                let job = jobs.iter().find(|job| job.call == it.id);
                CallView::of_journal(it, job.map(|it| it.state), &desk)
            });
            Json(calls.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// One call
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 200, description = "The call.", body = CallView),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    match view(&desk, id).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => Problem::answer(&no_such_call()),
        Err(fault) => Problem::answer(&fault),
    }
}

/// A call that is up, or that the journal knows.
pub(super) async fn view(desk: &Desk, id: String) -> Result<Option<CallView>, Fault> {
    let reader = desk.board.journal().reader()?;
    let view = if let Ok(record) = find(desk, &id) {
        Some(CallView::of_record(&record))
    } else {
        let summary = reader.call(id.clone()).await?;
        let jobs = desk.board.jobs().not_placed(vec![id.clone()]).await?;
        let dial = jobs.first().map(|it| it.state);
        summary.map(|it| CallView::of_journal(it, dial, desk))
    };
    let Some(mut view) = view else {
        return Ok(None);
    };
    let notes = reader.notes(view.id.clone()).await?.into_iter();
    view.notes = notes.map(Private::from).collect();
    if view.ended.is_some() && view.objective.is_some() {
        let outcome = desk.board.outcome(&id).await?;
        view.outcome = outcome.and_then(OutcomeView::of).map(Private::new);
    }
    Ok(Some(view))
}

/// Say something on a call
///
/// It is said as soon as nobody speaks.
#[utoipa::path(post, path = "/v1/calls/{id}/say", tag = "calls", params(("id" = String, Path, description = "The call.")), request_body = Words,
    responses(
        (status = 202, description = "It will be said."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no sound on the call, not yet or not any more.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not what is said.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn say(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(words): Given<Words>,
) -> Response {
    let text = Private::from(words.text);
    match connected(&desk, &id) {
        Ok(record) if record.say(text).await => StatusCode::ACCEPTED.into_response(),
        Ok(_) => Problem::answer(&over()),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Keys to press.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Digits {
    /// `0` to `9`, `*`, `#`, `A` to `D`, and `w` for half a second's pause; at least one key.
    #[schema(
        pattern = "^[wW]*[0-9*#A-Da-d][0-9*#A-Da-dwW]*$",
        max_length = 64,
        example = "123#"
    )]
    digits: String,
}

/// Press keys on a call
///
/// The far end hears their tones now, whoever speaks; what is being said goes on after them. Keys that would have an
/// exchange at the far end dial an emergency number, or another that is never dialled, are not pressed.
#[utoipa::path(post, path = "/v1/calls/{id}/digits", tag = "calls",
    params(("id" = String, Path, description = "The call.")), request_body = Digits,
    responses(
        (status = 202, description = "They are being pressed."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "They would dial what is never dialled.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no sound on the call, not yet or not any more.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "They are no keys.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many keys were pressed on the call as may be.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn digits(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(given): Given<Digits>,
) -> Response {
    let Some(keys) = Keys::parse(&given.digits) else {
        let message = format!("keys are 1 to {} of 0-9, *, #, A-D and w", Keys::MOST);
        return senseless(StatusCode::UNPROCESSABLE_ENTITY, message);
    };
    match connected(&desk, &id) {
        Ok(record) if !record.log.has_sound() => Problem::answer(&not_now()),
        Ok(record) => match desk.board.press(&record, keys).await {
            Ok(true) => StatusCode::ACCEPTED.into_response(),
            Ok(false) => Problem::answer(&over()),
            Err(fault) => Problem::answer(&fault),
        },
        Err(fault) => Problem::answer(&fault),
    }
}

/// A call on which something can be heard.
pub(super) fn connected(desk: &Desk, id: &str) -> Result<std::sync::Arc<Record>, Fault> {
    let record = find(desk, id)?;
    if record.log.is_closed() {
        return Err(over());
    }
    if !record.log.is_connected() {
        let message = "nobody would hear it yet";
        let fault = Fault::new(Blame::Caller, code::CALL_NOT_UP, message);
        return Err(fault.hint("wait for `call.connected`"));
    }
    Ok(record)
}

fn not_now() -> Fault {
    let fault = Fault::new(
        Blame::Caller,
        code::CALL_NOT_UP,
        "the call has no sound just now",
    );
    fault.hint("wait for `call.reconnected`")
}

fn over() -> Fault {
    let fault = Fault::new(Blame::Caller, code::CALL_NOT_UP, "the call is over");
    fault.hint("`offhook calls --up` lists those that are not")
}

/// End a call
///
/// Always allowed, in any state, more than once.
#[utoipa::path(post, path = "/v1/calls/{id}/end", tag = "calls", params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 202, description = "It is being ended."),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn end(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    match find(&desk, &id) {
        Ok(record) => {
            record.hang_up().await;
            StatusCode::ACCEPTED.into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// Where a flight recording was written.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FlightView {
    /// Of which call.
    pub call: String,
    /// The file, on the gateway's machine.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// How many things the call was told.
    pub steps: usize,
    /// How many events came of it.
    pub events: usize,
}

/// Write a call's flight recording
///
/// It holds words, and a file comes of it on the gateway's machine: it takes every right.
#[utoipa::path(post, path = "/v1/calls/{id}/flight", tag = "calls",
    params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 201, description = "It was written.", body = FlightView),
        (status = 404, description = "There is no such call, or what it was told is not kept any more.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn flight(
    State(desk): State<Desk>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Response {
    if scope < Scope::Admin {
        let message = "this token may not write recordings";
        let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
        return Problem::answer(&fault.hint("make one with `offhook token create --scope admin`"));
    }
    let written = async {
        let record = find(&desk, &id)?;
        let snapshot = desk.board.flight(&record).await?;
        let path = desk.board.put_flight(&record, snapshot.clone()).await?;
        Ok(FlightView {
            call: id,
            path,
            steps: snapshot.tape.steps(),
            events: snapshot.entries.len(),
        })
    };
    match written.await {
        Ok(view) => (StatusCode::CREATED, Json(view)).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

pub(super) fn find(desk: &Desk, id: &str) -> Result<std::sync::Arc<Record>, Fault> {
    let found = CallId::parse(id).and_then(|id| desk.board.call(id));
    found.ok_or_else(no_such_call)
}

pub(super) fn no_such_call() -> Fault {
    let fault = Fault::new(Blame::Config, code::CALL_UNKNOWN, "there is no such call");
    fault.hint("`offhook calls` lists those there are")
}

/// More calls are not listed at once.
const MOST_CALLS: usize = 1_000;
