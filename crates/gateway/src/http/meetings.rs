//! Meetings: opened, looked at, joined, quietened, ended.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use call::meeting::{Announcing, Command, PartyId};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{Words, find, unsure, view};
use super::ask::{Given, Keyed, Named, replayed};
use super::guard::Owner;
use super::pace::{Bearer, places};
use super::{Desk, Problem};
use crate::meeting::{Attention, MeetingId, Room, View};
use crate::metrics::metrics;
use crate::switchboard::{Carried, Guest, Meet};

/// A meeting to open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeetingOrder {
    /// Who is called to it: at least one, at most 15.
    #[schema(min_items = 1, max_items = 15)]
    pub people: Vec<Invitation>,
    /// Which agent sits there too; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whether those who are there hear who comes and who goes, where there are three or more.
    #[serde(default = "announced")]
    #[schema(default = true)]
    pub announce: bool,
    /// What it is for, where nothing else is said of one of them: written down with each call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

fn announced() -> bool {
    true
}

/// Someone to call to a meeting.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// Whom to call, in E.164 form.
    #[schema(example = "+15551234567")]
    pub to: String,
    /// What the others, and the agent, call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// From which of our numbers; absent: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What they are called for: written down with the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Someone to bring to a meeting who talks to an agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bring {
    /// Their call.
    pub call: String,
    /// What the others call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A meeting as owners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct MeetingView {
    /// Our name for it.
    pub id: String,
    #[serde(flatten)]
    view: View,
}

/// What is to become of someone at a meeting.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// Nobody hears them any more.
    Mute,
    /// They are heard again.
    Unmute,
    /// They leave.
    Remove,
    /// Of an agent: it hears what is said, and says nothing.
    Listen,
    /// Of an agent: it answers again.
    Talk,
}

/// What is to become of someone at a meeting.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Seat {
    /// What.
    #[serde(rename = "do")]
    pub(super) fate: Fate,
}

impl MeetingView {
    fn of(room: &Room) -> Self {
        Self {
            id: room.id.to_string(),
            view: room.view(),
        }
    }
}

/// Open a meeting
///
/// Everybody is called at once, over the lines of whichever carriers their numbers have; answered as
/// soon as it exists. Nobody is called if one of them may not be.
#[utoipa::path(post, path = "/v1/meetings", tag = "meetings", params(Keyed), request_body = MeetingOrder,
    responses(
        (status = 201, description = "It is open.", body = MeetingView),
        (status = 200, description = "The meeting that the same request opened before.", body = MeetingView,
            headers(("idempotent-replayed" = String, description = "`true`"))),
        (status = 400, description = "The body is no JSON, or the Idempotency-Key makes no sense.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The policy does not allow it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are more people than a meeting has places for, or the meeting of the same request is not there any more.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not what a meeting is made of, or the key was used for something else.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many calls are up, or were made in the last hour, or by this token in the last minute, as may be.", body = Problem, content_type = "application/problem+json",
            headers(("retry-after" = u64, description = "Where it is the token's minute: in so many seconds there is room."))),
        (status = 502, description = "The agent or a vendor of speech failed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No call is made now: the journal cannot be written, or speech is overloaded.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn open(
    State(desk): State<Desk>,
    Extension(bearer): Extension<Bearer>,
    keyed: Keyed,
    Given(order): Given<MeetingOrder>,
) -> Response {
    let once = keyed.once(&("meeting", &order));
    if order.people.is_empty() || order.people.len() > MOST {
        let message = format!("a meeting is of 1 to {MOST} people");
        return super::ask::senseless(StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    let places = match places(&desk, bearer, order.people.len()) {
        Ok(places) => places,
        Err(too_often) => return *too_often,
    };
    let purpose = order.purpose;
    let invited = |it: Invitation| {
        let purpose = it.purpose.or_else(|| purpose.clone());
        guest(Invitation { purpose, ..it })
    };
    let meet = Meet {
        guests: order.people.into_iter().map(invited).collect(),
        agent: order.agent,
        announcing: if order.announce {
            Announcing::On
        } else {
            Announcing::Off
        },
    };
    match desk.board.meet_once(once, meet).await {
        Ok(Carried::Now(room)) => {
            places.taken();
            (StatusCode::CREATED, Json(MeetingView::of(&room))).into_response()
        }
        Ok(Carried::Before(id)) => match room(&desk, &id) {
            Ok(room) => replayed(Json(MeetingView::of(&room))),
            Err(_) => Problem::answer(&gone()),
        },
        Err(fault) => {
            metrics().refused("outbound", &fault);
            Problem::answer(&fault)
        }
    }
}

/// The meetings there are
///
/// The latest first.
#[utoipa::path(get, path = "/v1/meetings", tag = "meetings",
    responses((status = 200, description = "The meetings.", body = [MeetingView])))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    let rooms = desk.board.meetings();
    Json(
        rooms
            .iter()
            .map(|it| MeetingView::of(it))
            .collect::<Vec<_>>(),
    )
    .into_response()
}

/// One meeting
#[utoipa::path(get, path = "/v1/meetings/{id}", tag = "meetings", params(("id" = String, Path, description = "The meeting.")),
    responses(
        (status = 200, description = "The meeting.", body = MeetingView),
        (status = 404, description = "There is no such meeting, or it is over.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    match room(&desk, &id) {
        Ok(room) => Json(MeetingView::of(&room)).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Call one more to a meeting
#[utoipa::path(post, path = "/v1/meetings/{id}/people", tag = "meetings", params(("id" = String, Path, description = "The meeting."), Keyed),
    request_body = Invitation,
    responses(
        (status = 202, description = "They are being called, or were by the same request before.",
            headers(("idempotent-replayed" = String, description = "`true`"))),
        (status = 400, description = "The body is no JSON, or the Idempotency-Key makes no sense.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The policy does not allow it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such meeting, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has had as many people as it can, or what became of the same request is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It names nobody to call, or the key was used for something else.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many calls are up, or were made in the last hour, or by this token in the last minute, as may be.", body = Problem, content_type = "application/problem+json",
            headers(("retry-after" = u64, description = "Where it is the token's minute: in so many seconds there is room."))),
        (status = 502, description = "A vendor of speech failed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No call is made now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn invite(
    State(desk): State<Desk>,
    Extension(bearer): Extension<Bearer>,
    Named(id): Named,
    keyed: Keyed,
    Given(invitation): Given<Invitation>,
) -> Response {
    let once = keyed.once(&("invitation", &id, &invitation));
    let places = match places(&desk, bearer, 1) {
        Ok(places) => places,
        Err(too_often) => return *too_often,
    };
    let invited = async {
        let room = room(&desk, &id)?;
        match desk
            .board
            .invite_once(once, &room, guest(invitation))
            .await?
        {
            Carried::Now(_) => {
                places.taken();
                Ok(StatusCode::ACCEPTED.into_response())
            }
            Carried::Before(call) => match view(&desk, call).await? {
                Some(_) => Ok(replayed(StatusCode::ACCEPTED)),
                None => Err(unsure()),
            },
        }
    };
    invited
        .await
        .unwrap_or_else(|fault| Problem::answer(&fault))
}

/// Bring someone to a meeting who talks to an agent
///
/// They come back to it when they leave the meeting.
#[utoipa::path(post, path = "/v1/meetings/{id}/calls", tag = "meetings", params(("id" = String, Path, description = "The meeting.")),
    request_body = Bring,
    responses(
        (status = 202, description = "They are being brought."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such meeting or call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody talks to an agent on that call just now, or the meeting has had as many people as it can.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It names no call.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn bring(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(bring): Given<Bring>,
) -> Response {
    let brought = async {
        let room = room(&desk, &id)?;
        let record = find(&desk, &bring.call)?;
        desk.board.bring(&room, record, bring.name).await
    };
    accepted(brought.await)
}

/// Mute someone at a meeting, let them go, tell an agent to listen
#[utoipa::path(post, path = "/v1/meetings/{id}/people/{who}", tag = "meetings",
    params(("id" = String, Path, description = "The meeting."), ("who" = String, Path, description = "The number of their seat, their name, or their call.")),
    request_body = Seat,
    responses(
        (status = 202, description = "It is being done."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such meeting, or nobody of that name.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be done to anyone, or not to them: only an agent is told to listen.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn person(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    Given(seat): Given<Seat>,
) -> Response {
    let done = async {
        // What is not even text names nobody.
        let Path((id, who)) = path.map_err(|_| no_such_meeting())?;
        let room = room(&desk, &id)?;
        let party = room.party(&who).ok_or_else(nobody)?;
        do_to(&room, party, seat.fate).await
    };
    accepted(done.await)
}

/// Say something to everybody at a meeting
#[utoipa::path(post, path = "/v1/meetings/{id}/say", tag = "meetings", params(("id" = String, Path, description = "The meeting.")),
    request_body = Words,
    responses(
        (status = 202, description = "It will be said."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such meeting, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not what is said.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn say(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(words): Given<Words>,
) -> Response {
    let said = async {
        let room = room(&desk, &id)?;
        let text = Private::from(words.text);
        listened(room.command(Command::Announce(text)).await)
    };
    accepted(said.await)
}

/// End a meeting
///
/// Whoever was brought from an agent goes back to it; the others are hung up on.
#[utoipa::path(post, path = "/v1/meetings/{id}/end", tag = "meetings", params(("id" = String, Path, description = "The meeting.")),
    responses(
        (status = 202, description = "It is being ended."),
        (status = 404, description = "There is no such meeting, or it is over.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn end(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    let ended = async { listened(room(&desk, &id)?.command(Command::End).await) };
    accepted(ended.await)
}

async fn do_to(room: &Room, party: PartyId, fate: Fate) -> Result<(), Fault> {
    listened(match fate {
        Fate::Mute => room.command(Command::Mute(party)).await,
        Fate::Unmute => room.command(Command::Unmute(party)).await,
        Fate::Remove => room.command(Command::Remove(party)).await,
        Fate::Listen => agent(room, party)?.attend(Attention::Listen).await,
        Fate::Talk => agent(room, party)?.attend(Attention::Talk).await,
    })
}

/// The meeting, if it is an agent that has this seat at it.
fn agent(room: &Room, party: PartyId) -> Result<&Room, Fault> {
    room.is_agent(party).then_some(room).ok_or_else(|| {
        let message = "only an agent can be told to listen, or to talk again";
        Fault::new(Blame::Caller, code::MEETING_NOT_AN_AGENT, message)
            .hint("name the agent's seat, or mute this one")
    })
}

fn guest(invitation: Invitation) -> Guest {
    let Invitation {
        to,
        name,
        from,
        purpose,
    } = invitation;
    Guest {
        name,
        to,
        from,
        purpose: purpose.map(Private::from),
    }
}

fn room(desk: &Desk, id: &str) -> Result<Arc<Room>, Fault> {
    let found = MeetingId::parse(id).and_then(|id| desk.board.meeting(id));
    found.ok_or_else(no_such_meeting)
}

fn listened(listened: bool) -> Result<(), Fault> {
    listened.then_some(()).ok_or_else(no_such_meeting)
}

fn accepted(done: Result<(), Fault>) -> Response {
    match done {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

fn no_such_meeting() -> Fault {
    let message = "there is no such meeting, or it is over";
    Fault::new(Blame::Config, code::MEETING_UNKNOWN, message)
        .hint("`offhook meeting list` lists those there are")
}

/// The meeting of a request that comes again.
fn gone() -> Fault {
    let message = "that request was begun before, and its meeting is over, or not there yet";
    Fault::new(Blame::Caller, code::CALL_UNSURE, message)
        .hint("`offhook meeting list` lists those there are; open another with a new key")
}

fn nobody() -> Fault {
    let message = "nobody of that name is at the meeting";
    Fault::new(Blame::Config, code::MEETING_UNKNOWN, message)
        .hint("`offhook meeting show` says who is")
}

/// So many people are called at once: a meeting has 16 places, and one may be an agent's.
const MOST: usize = 15;
