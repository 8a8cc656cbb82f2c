//! One server for carriers and owners: webhooks, media sockets, the control API.

mod agents;
mod api;
mod approvals;
mod ask;
mod callbacks;
mod config;
mod events;
mod guard;
mod hand;
pub(crate) mod hooks;
mod lobby;
mod meetings;
mod openapi;
mod outcome;
mod pace;
mod pairing;
pub(crate) mod probe;
mod problem;
mod questions;
pub(crate) mod reports;
mod streams;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ports::{Blame, Fault, Secret, code};
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::mcp;
use crate::rulebook::Rulebook;
use crate::switchboard::Switchboard;
pub use api::{CallView, FlightView, OnMachineOrder, Order, Words};
pub use config::Rejected;
use lobby::{Guest, Lobby};
pub use meetings::{Invitation, MeetingOrder};
pub use openapi::document;
pub use outcome::ObjectiveOrder;
pub use pace::Pace;
pub use problem::Problem;

/// What every request may look at.
#[derive(Clone)]
pub struct Desk {
    /// The calls.
    pub board: Arc<Switchboard>,
    /// The configuration in force, if it came from a file.
    pub rulebook: Option<Arc<Rulebook>>,
    /// What opens the control API.
    pub token: Secret,
    /// Names this process, so that `offhook doctor` can tell whether a public address leads here.
    pub instance: String,
    /// The calls that tokens made of late.
    pub pace: Pace,
    /// Sockets whose stream has not introduced itself yet.
    pub strangers: Arc<Semaphore>,
}

/// Media sockets that may wait to introduce themselves at once.
pub const STRANGERS: usize = 256;

/// Binds the address to listen on.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, Fault> {
    listening(listen).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            "something else listens there: stop it, or change listen in [server]"
        } else {
            "change listen in [server]"
        };
        Fault::new(
            Blame::Config,
            code::GATEWAY_PORT,
            format!("cannot listen on {listen}: {error}"),
        )
        .hint(hint)
    })
}

/// Where many come at once the queue is long: whoever finds it full tries again a second later.
fn listening(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(QUEUE)
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, desk: Desk) {
    let routes = router(desk);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let lobby = Lobby::new(lobby_room());
    // Dropping this future drops the set, which ends every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let Ok(place) = room.clone().try_acquire_owned() else {
                        // Full: closing at once costs the far end a retry and us nothing.
                        continue;
                    };
                    let (guest, stay) = lobby.enter(from);
                    let routes = routes.clone();
                    connections.spawn(async move {
                        tokio::select! {
                            () = connection(stream, routes, guest) => {}
                            () = stay.over() => {}
                        }
                        drop(place);
                    });
                }
                // Out of descriptors, most likely: give calls that end a moment to free some.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Each stranger and each call takes a descriptor, and the files of the house take some. As many
/// strangers as leave most of them to calls.
fn lobby_room() -> usize {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most / 4).map_or(STRANGE, |it| it.min(STRANGE))
}

async fn connection(stream: TcpStream, routes: Router, guest: Arc<Guest>) {
    // Frames are small and must leave at once.
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .max_headers(64);
    let routes = TowerToHyperService::new(routes);
    let routes = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(guest.clone());
        routes.call(request)
    });
    let served = http
        .serve_connection(TokioIo::new(stream), routes)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}

fn router(desk: Desk) -> Router {
    let (anyone, owners) = (openapi::anyone().into(), openapi::owners().into());
    let (anyone, owners): (Router<Desk>, Router<Desk>) = (anyone, owners);
    // Upgraded, which no description of an API has words for.
    let owners = owners.route("/v1/agents/{name}/connect", get(agents::connect));
    let anyone = anyone.route_layer(axum::middleware::from_fn_with_state(
        desk.clone(),
        guard::name,
    ));
    let owners = Router::method_not_allowed_fallback(owners, ask::otherwise).route_layer(
        axum::middleware::from_fn_with_state(desk.clone(), guard::authorize),
    );
    let phone = Router::new()
        .route_service(
            "/mcp",
            mcp::service(owners.clone().with_state(desk.clone()), desk.board.clone()),
        )
        .route_layer(axum::middleware::from_fn_with_state(
            desk.clone(),
            guard::authorize,
        ));
    Router::method_not_allowed_fallback(anyone, ask::otherwise)
        .merge(owners)
        .merge(phone)
        .route("/{carrier}/voice", post(hooks::voice))
        .route("/{carrier}/again", post(hooks::again))
        .route("/{carrier}/status", post(hooks::status))
        .route("/{carrier}/media/{token}", get(streams::open))
        .fallback(ask::nowhere)
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(desk)
}

/// A stranger's request may be this large and no larger.
const BODY: usize = 64 * 1024;
const HEADER_BYTES: usize = 8 * 1024;
/// A stranger has this long to say what they want.
const HEADERS: Duration = Duration::from_secs(5);
/// Everyone who may be connected at once.
const CONNECTIONS: usize = 8_192;
/// So many may wait to be let in.
const QUEUE: u32 = 4_096;
/// Of those, so many who have proved nothing yet.
const STRANGE: usize = 1_024;
