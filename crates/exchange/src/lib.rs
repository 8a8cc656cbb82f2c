//! The exchange: the other end of the wire, on loopback.
//!
//! It plays a phone company and the people on its phones, honestly and without knowing anything of the gateway's insides: a REST
//! API that refuses what the real one refuses, signed webhooks, instructions, a media socket with the carrier's buffering,
//! a [phone] whose person follows a script, an [ear] that records exactly what they would hear, and a [stopwatch]
//! that turns it into times. What can go wrong on the way goes wrong on request ([mischief]).
//!
//! A call can be put through to another phone, in the carrier's own way: what it makes for that is a call of its own, with
//! an outcome of its own, and the two people hear one another.
//!
//! It plays one carrier at a time ([`Builder::carrier`]). Each has a folder with its dialect and is on one list in this
//! file; what no carrier has for itself (the office, the books of calls, the courier of webhooks, the media socket, the
//! line and the phone) lies beside them.
//!
//! ```no_run
//! use exchange::phone::{PhonePlan, Step};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let exchange = exchange::Exchange::builder()
//!     .account("AC00000000000000000000000000000000", "the account's token")
//!     .number("+15550001111", "http://127.0.0.1:8787/twilio/voice")
//!     .status_url("http://127.0.0.1:8787/twilio/status")
//!     .phone("+15551234567", PhonePlan::answers(Duration::from_millis(500), [Step::HangUp]))
//!     .start()
//!     .await?;
//! let wait = Step::WaitForAgent { quiet: Duration::from_secs(1), timeout: Duration::from_secs(10) };
//! let call = exchange.call_in("+15557654321", "+15550001111", [wait, Step::HangUp])?;
//! let outcome = exchange.call(&call).await;
//! println!("{:?} {:?}", outcome.status, outcome.ended_by);
//! # Ok(())
//! # }
//! ```

mod bridge;
mod call;
mod courier;
pub mod ear;
pub mod g711;
mod ledger;
mod line;
pub mod load;
pub mod mischief;
mod narrow;
mod office;
pub mod phone;
mod port;
mod room;
mod socket;
pub mod standing;
pub mod stopwatch;
mod tape;
pub mod wav;
mod wire;
mod xml;

pub use ledger::{
    Answer, Delivery, Direction, EndedBy, Happening, Kind, Mark, Outcome, Request, Returned,
    Status, Warning,
};
pub use office::Trouble;
pub use phone::Missed;
pub use port::free_port;

use axum::Router;
use line::Band;
use load::{Load, LoadPlan};
use mischief::Mischief;
use office::{Account, Anyone, Number, Office, Setup, Tunnel, fresh};
use phone::{PhonePlan, Step};
use standing::{Owner, Standing, Vouched};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// Declares the folder of each carrier and puts its entry on the list.
macro_rules! carriers {
    ($($name:ident,)*) => {
        $(mod $name;)*

        /// Every carrier that is played, in the order of their names.
        const LIST: &[Entry] = &[$($name::ENTRY,)*];

        /// The names of the carriers that are played, as configurations name them.
        pub const CARRIERS: &[&str] = &[$($name::ENTRY.name,)*];
    };
}

carriers! {
    plivo,
    telnyx,
    twilio,
}

/// A carrier that can be played.
struct Entry {
    name: &'static str,
    /// The account's id and secret when nobody says otherwise.
    account: &'static str,
    secret: &'static str,
    open: fn(Account, Office) -> Arc<dyn Played>,
    /// Makes it ready for the calls of a load run.
    load: fn(Account, Office, LoadPlan) -> Load,
}

impl Entry {
    /// Its account, with what was said of it.
    fn account(&self, id: &str, secret: &str) -> Account {
        let or = |said: &str, other: &str| if said.is_empty() { other } else { said }.to_owned();
        Account {
            id: or(id, self.account),
            secret: or(secret, self.secret),
        }
    }
}

/// The carrier of that name.
fn entry(name: &str) -> io::Result<&'static Entry> {
    let entry = LIST.iter().find(|entry| entry.name == name);
    entry.ok_or_else(|| {
        let text = format!("{name:?} is not a carrier played here: {CARRIERS:?}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// A carrier as it is played.
trait Played: Send + Sync {
    fn office(&self) -> &Office;

    /// What a gateway's configuration must say to use it, when its REST API is at `api`.
    fn configuration(&self, api: &str) -> String;

    /// Its REST API.
    fn router(self: Arc<Self>) -> Router;

    /// Makes a key to sign in to the API with, beside the account's own secret.
    fn add_key(&self, _id: &str, _secret: &str) -> Result<(), NoKeys> {
        Err(NoKeys)
    }

    /// Somebody calls one of the account's numbers; the call's id, if there is such a number and room for a call.
    fn call_in(self: Arc<Self>, from: &str, to: &str, script: Vec<Step>) -> Option<String>;
}

/// A running exchange. Dropping it ends its calls and closes its sockets.
pub struct Exchange {
    name: &'static str,
    carrier: Arc<dyn Played>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// How an exchange is to be.
#[derive(Default)]
pub struct Builder {
    listen: String,
    carrier: String,
    account: Account,
    numbers: Vec<(String, String)>,
    status_url: String,
    phones: HashMap<String, PhonePlan>,
    anyone: Option<PhonePlan>,
    tunnels: Vec<(String, String)>,
    mischief: Mischief,
    band: Band,
}

/// The number called is not one of the account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchNumber(pub String);

impl std::fmt::Display for NoSuchNumber {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} is not a number of this exchange, or it takes no more calls",
            self.0
        )
    }
}

impl std::error::Error for NoSuchNumber {}

/// The carrier has no keys but the account's own secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKeys;

impl std::fmt::Display for NoKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("this carrier has no keys but the account's own secret")
    }
}

impl std::error::Error for NoKeys {}

impl Exchange {
    /// Begins to describe an exchange.
    pub fn builder() -> Builder {
        Builder {
            listen: "127.0.0.1:0".to_owned(),
            carrier: DEFAULT.to_owned(),
            ..Builder::default()
        }
    }

    /// Where its REST API is, for the `api_url` of a gateway's configuration.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The carrier it plays, as configurations name it.
    pub fn carrier(&self) -> &'static str {
        self.name
    }

    /// What a gateway's configuration must say to use this exchange as its carrier: a TOML table.
    pub fn configuration(&self) -> String {
        self.carrier.configuration(&self.base_url())
    }

    /// Somebody calls one of the account's numbers and then follows `script`. The call's id; its outcome is to be had
    /// from [`Exchange::call`].
    ///
    /// # Errors
    /// When `to` is not one of the account's numbers, or the exchange is full of live calls.
    pub fn call_in(
        &self,
        from: &str,
        to: &str,
        script: impl Into<Vec<Step>>,
    ) -> Result<String, NoSuchNumber> {
        Arc::clone(&self.carrier)
            .call_in(from, to, script.into())
            .ok_or_else(|| NoSuchNumber(to.to_owned()))
    }

    /// The outcome of one call, once it is over and its last callback has been delivered. For an id that is not a
    /// call's this never returns: bound it.
    pub async fn call(&self, sid: &str) -> Arc<Outcome> {
        self.carrier.office().ledger.outcome(sid).await
    }

    /// The next outcome that this method has not given out yet, of any call, in the order in which they ended.
    pub async fn next_outcome(&self) -> Arc<Outcome> {
        self.carrier.office().ledger.next_outcome().await
    }

    /// The requests to the REST API so far, also the refused ones, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.carrier.office().ledger.requests()
    }

    /// The webhooks sent so far, with what came back, the oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.carrier.office().ledger.deliveries()
    }

    /// What the carrier's debugger would show so far, the oldest first.
    pub fn warnings(&self) -> Vec<Warning> {
        self.carrier.office().ledger.warnings()
    }

    /// What happens from now on. A watcher who falls 1024 happenings behind misses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Happening> {
        self.carrier.office().ledger.watch()
    }

    /// What goes wrong with calls that begin from now on.
    pub fn set_mischief(&self, mischief: Mischief) {
        self.carrier.office().set_mischief(mischief);
    }

    /// Trouble for one more request to the REST API; several are served in the order given.
    pub fn trouble(&self, trouble: Trouble) {
        self.carrier.office().trouble(trouble);
    }

    /// Gives a number of the account's to something else it has: its own addresses mean nothing then.
    pub fn give_number(&self, number: &str, owner: Owner) {
        self.carrier.office().change(number, |it| it.owner = owner);
    }

    /// Where calls to a number of the account's are asked about, and where their end is told; [`None`] if it is not the
    /// account's, or something else has it.
    pub fn addresses(&self, number: &str) -> Option<(String, String)> {
        let number = self.carrier.office().called(number)?;
        Some((number.voice_url, number.status_url))
    }

    /// How the account stands from now on.
    pub fn set_standing(&self, standing: Standing) {
        self.carrier.office().set_standing(standing);
    }

    /// What is said from now on of the numbers that callers show.
    pub fn set_vouched(&self, vouched: Vouched) {
        self.carrier.office().set_vouched(vouched);
    }

    /// Makes a key to sign in to the API with, beside the account's own secret. It signs no webhooks.
    ///
    /// # Errors
    /// The carrier has no such keys.
    pub fn add_key(&self, id: &str, secret: &str) -> Result<(), NoKeys> {
        self.carrier.add_key(id, secret)
    }

    /// Points a number, new or known, at a voice webhook and a status callback.
    pub fn set_number(&self, number: &str, voice_url: &str, status_url: &str) {
        self.carrier
            .office()
            .set_number(number, voice_url, status_url);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.server.abort();
        self.carrier.office().stop();
    }
}

impl Builder {
    /// Where to listen; a free port of 127.0.0.1 when nothing is said.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.to_owned();
        self
    }

    /// Which carrier to play, one of [`CARRIERS`]; Twilio when nothing is said.
    pub fn carrier(mut self, name: &str) -> Self {
        name.clone_into(&mut self.carrier);
        self
    }

    /// The account's id and its secret, as the carrier has them: Twilio's account (`AC` and 32 hexadecimal digits) and
    /// token, Plivo's auth id (`MA` and 18 more) and token, Telnyx's connection and API key. Every carrier has its own for
    /// what is empty.
    pub fn account(mut self, id: &str, secret: &str) -> Self {
        self.account = Account {
            id: id.to_owned(),
            secret: secret.to_owned(),
        };
        self
    }

    /// A number of the account, and where calls to it ask for instructions; for carriers that push events, where all
    /// events of the number's calls go.
    pub fn number(mut self, number: &str, voice_url: &str) -> Self {
        self.numbers.push((number.to_owned(), voice_url.to_owned()));
        self
    }

    /// Where the end of inbound calls is told, by carriers that tell it elsewhere than their instructions are.
    pub fn status_url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.status_url);
        self
    }

    /// A phone that can be called.
    pub fn phone(mut self, number: &str, plan: PhonePlan) -> Self {
        self.phones.insert(number.to_owned(), plan);
        self
    }

    /// What every other phone does. Without this, other numbers are unreachable.
    pub fn anyone(mut self, plan: PhonePlan) -> Self {
        self.anyone = Some(plan);
        self
    }

    /// Requests to URLs that begin with `public` go to `local` instead, signed and named as if they had gone to `public`: as
    /// through a proxy or a tunnel. `https://voice.example.com` covers `wss://voice.example.com` too.
    pub fn tunnel(mut self, public: &str, local: &str) -> Self {
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        self.tunnels.push((bare(public), bare(local)));
        self
    }

    /// Its phones carry wideband sound (16 kHz), and so do its lines where the carrier can send that on.
    pub fn wideband(mut self) -> Self {
        self.band = Band::Wide;
        self
    }

    /// What goes wrong from the start.
    pub fn mischief(mut self, mischief: Mischief) -> Self {
        self.mischief = mischief;
        self
    }

    /// Starts it, on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on, or no carrier of that name is played.
    pub async fn start(self) -> io::Result<Exchange> {
        // A provider may be installed already; either will do, since the exchange speaks no TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let entry = entry(&self.carrier)?;
        let account = entry.account(&self.account.id, &self.account.secret);
        let listener = TcpListener::bind(&self.listen).await?;
        let address = listener.local_addr()?;
        let office = Office::new(self.into_setup()).map_err(io::Error::other)?;
        let carrier = (entry.open)(account, office);
        let router = Arc::clone(&carrier).router();
        let clock = Arc::clone(&carrier);
        let router = router.layer(axum::middleware::map_response(move |response| {
            let ahead = clock.office().standing().ahead;
            async move { dated(response, ahead) }
        }));
        let server = tokio::spawn(async move {
            // Serving ends only when the exchange is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Exchange {
            name: entry.name,
            carrier,
            address,
            server,
        })
    }

    fn into_setup(self) -> Setup {
        let status_url = self.status_url;
        let entered = |(number, voice_url)| {
            let entry = Number {
                id: fresh(""),
                voice_url,
                status_url: status_url.clone(),
                owner: Owner::Itself,
            };
            (number, entry)
        };
        let dug = |(public, local)| Tunnel { public, local };
        Setup {
            numbers: self.numbers.into_iter().map(entered).collect(),
            phones: self.phones,
            anyone: self.anyone.map_or(Anyone::Unreachable, Anyone::Follows),
            tunnels: self.tunnels.into_iter().map(dug).collect(),
            mischief: self.mischief,
            band: self.band,
        }
    }
}

/// An answer of a carrier whose clock is so many seconds ahead.
fn dated(mut response: axum::response::Response, ahead: i64) -> axum::response::Response {
    let now = jiff::Timestamp::now();
    let there = now
        .checked_add(jiff::SignedDuration::from_secs(ahead))
        .unwrap_or(now);
    let text = there.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(value) = text.parse() {
        response
            .headers_mut()
            .insert(axum::http::header::DATE, value);
    }
    response
}

/// The carrier that is played when nothing is said.
const DEFAULT: &str = "twilio";
const LONGEST_RING: Duration = Duration::from_secs(60);
const LONGEST_CALL: Duration = Duration::from_secs(14_400);
