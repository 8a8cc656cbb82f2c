//! Media sockets: let in by a token and a signature, handed to their call once they have said
//! whose sound they carry. Nothing is spent on one before that.

use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ports::carrier::{Carrier, Repeated, Sound, Started, StreamEvent, StreamProtocol};
use ports::{Blame, Fault, code};
use tokio::sync::OwnedSemaphorePermit;

use super::{Desk, hooks};
use crate::line::{Incoming, Line, SocketLine, Wire};
use crate::sound::Attached;

pub(super) async fn open(
    State(desk): State<Desk>,
    Path((name, token)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let in_force = desk.board.plan();
    let began_with = desk.board.knows(&name, &token);
    let known = [began_with.as_ref(), Some(&in_force)];
    let known: Vec<_> = known
        .into_iter()
        .flatten()
        .filter_map(|plan| {
            let ws = plan.public_url.replacen("http", "ws", 1);
            Some((plan.carriers.get(&name)?, ws))
        })
        .collect();
    let Some((carrier, _)) = known.first().cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if began_with.is_none() {
        tracing::warn!(
            carrier = name,
            code = code::STREAM_TOKEN,
            "a media socket was refused: no good token"
        );
        return StatusCode::FORBIDDEN.into_response();
    }
    // Its call's own credentials, or those that the carrier was given since.
    let verified = known.iter().map(|(carrier, public)| {
        let request = hooks::gather(public, &Method::GET, &uri, &headers, Vec::new());
        carrier.webhooks.verify_socket(&request)
    });
    if let Some(fault) = refusal(verified) {
        tracing::warn!(
            carrier = name,
            code = fault.code,
            hint = fault.hint,
            "a media socket was refused: {fault}"
        );
        return StatusCode::FORBIDDEN.into_response();
    }
    let carrier = carrier.clone();
    let Ok(place) = desk.strangers.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    upgrade
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_write_buffer_size(BEHIND)
        .on_upgrade(move |socket| meet(desk, carrier, name, token, (socket, place)))
}

/// Why nobody vouches for a socket, if nobody does.
fn refusal(verified: impl Iterator<Item = Result<(), Fault>>) -> Option<Fault> {
    let mut first = None;
    for verified in verified {
        first = first.or(Some(verified.err()?));
    }
    first
}

/// Hears a socket introduce itself, and hands it to its call.
async fn meet(
    desk: Desk,
    carrier: Carrier,
    name: String,
    token: String,
    (socket, place): (WebSocket, OwnedSemaphorePermit),
) {
    let mut line = SocketLine::new(socket);
    let Sound::Stream(dialect) = &carrier.sound;
    let mut protocol = dialect.open();
    let introduced =
        tokio::time::timeout(INTRODUCTION, introduction(&mut line, &mut *protocol)).await;
    drop(place);
    let started = match introduced {
        Ok(Ok(started)) => started,
        Ok(Err(fault)) => return refuse(line, &fault).await,
        Err(_) => {
            return refuse(
                line,
                &unnamed("a media socket did not introduce itself in time"),
            )
            .await;
        }
    };
    let repeats = match &started.token {
        Repeated::Token(it) => *it.reveal() == token,
        Repeated::Nothing => true,
    };
    if !repeats {
        return refuse(
            line,
            &unnamed("a media socket repeats another token than the one it came with"),
        )
        .await;
    }
    let Some(record) = desk.board.redeem(&name, &token) else {
        return refuse(line, &unnamed("a media socket's token is used or too old")).await;
    };
    let attached = Attached {
        line: Wire::Socket(Box::new(line)),
        protocol,
        format: started.format,
        spoken: started.spoken,
        order: started.line,
    };
    if !desk.board.connect(&record, &started.leg, attached).await {
        tracing::warn!(call = %record.id, code = code::STREAM_TOKEN, "a media socket does not belong to its call");
    }
}

async fn introduction(
    line: &mut SocketLine,
    protocol: &mut dyn StreamProtocol,
) -> Result<Started, Fault> {
    for _ in 0..PATIENCE {
        match line.recv().await {
            Incoming::Text(text) => {
                if let StreamEvent::Started(started) = protocol.decode(text.as_str())? {
                    return Ok(started);
                }
            }
            Incoming::Alive => {}
            Incoming::Closed | Incoming::Broke => break,
        }
    }
    Err(unnamed(
        "a media socket sends other things than its introduction",
    ))
}

async fn refuse(line: SocketLine, fault: &Fault) {
    tracing::warn!(code = fault.code, "{fault}");
    line.refuse("not a stream of ours").await;
}

fn unnamed(what: &str) -> Fault {
    Fault::new(Blame::Carrier, code::STREAM_TOKEN, what)
}

/// A message of this size holds more sound than any carrier sends at once.
const MESSAGE: usize = 64 * 1024;
/// A frame is a few hundred bytes; a large buffer for each call would be most of its memory.
const READ: usize = 4 * 1024;
/// So far may a far end that does not read be behind: about ten seconds of sound.
const BEHIND: usize = 256 * 1024;
/// A stream has this long, and so many messages, to say whose it is.
const INTRODUCTION: Duration = Duration::from_secs(5);
const PATIENCE: usize = 8;
