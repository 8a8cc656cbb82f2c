//! The exchange: the other end of the wire, on loopback.
//!
//! It plays a phone company and the people on its phones, honestly and without knowing anything of the gateway's insides: a REST
//! API that refuses what the real one refuses, signed webhooks, instructions, a media socket with the carrier's buffering,
//! a [phone] whose person follows a script, an [ear] that records exactly what they would hear, and a [stopwatch]
//! that turns it into times. What can go wrong on the way goes wrong on request ([mischief]).
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

pub mod ear;
pub mod g711;
mod ledger;
mod line;
pub mod load;
pub mod mischief;
pub mod phone;
pub mod stopwatch;
mod twilio;
pub mod wav;
mod wire;

pub use ledger::{
    Answer, Delivery, Direction, EndedBy, Happening, Kind, Mark, Outcome, Request, Returned,
    Status, Warning,
};
pub use phone::Missed;
pub use twilio::Trouble;

use mischief::Mischief;
use phone::{PhonePlan, Step};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use twilio::twiml::{Method, Onward};
use twilio::{
    Account, Anyone, Call, Callback, Carrier, Fetch, Instructions, Number, Tunnel, fresh, life,
    rest,
};

/// A running exchange. Dropping it ends its calls and closes its sockets.
pub struct Exchange {
    carrier: Arc<Carrier>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// How an exchange is to be.
#[derive(Default)]
pub struct Builder {
    listen: String,
    account: String,
    token: String,
    numbers: Vec<(String, String)>,
    status_url: String,
    phones: HashMap<String, PhonePlan>,
    anyone: Vec<PhonePlan>,
    tunnels: Vec<(String, String)>,
    mischief: Mischief,
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

impl Exchange {
    /// Begins to describe an exchange.
    pub fn builder() -> Builder {
        Builder {
            listen: "127.0.0.1:0".to_owned(),
            ..Builder::default()
        }
    }

    /// Where its REST API is, for the `api_url` of a gateway's configuration.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The carrier it plays, as configurations name it.
    pub fn carrier(&self) -> &'static str {
        twilio::NAME
    }

    /// What a gateway's configuration must say to use this exchange as its carrier: a TOML table.
    pub fn configuration(&self) -> String {
        let Account { sid, token } = &self.carrier.account;
        let api = self.base_url();
        format!(
            "[carriers.{}]\naccount_sid = \"{sid}\"\nauth_token = \"{token}\"\napi_url = \"{api}\"\n",
            twilio::NAME
        )
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
        let refused = || NoSuchNumber(to.to_owned());
        let number = self.carrier.number(to).ok_or_else(refused)?;
        let callback = Callback {
            url: number.status_url,
            method: "POST".to_owned(),
            events: vec!["completed".to_owned()],
        };
        let (call, commands) = Call::new(Direction::Inbound, (from, to), number.sid, callback);
        self.carrier
            .enter(Arc::clone(&call))
            .map_err(|_| refused())?;
        let sid = call.sid.clone();
        let instructions = Instructions::Fetch(Fetch {
            url: number.voice_url,
            method: Method::Post,
            fallback: Onward::NextVerb,
            event: "voice",
            extra: Vec::new(),
        });
        let order = life::Order {
            instructions,
            timeout: LONGEST_RING,
            time_limit: LONGEST_CALL,
        };
        let carrier = Arc::clone(&self.carrier);
        self.carrier
            .spawn(life::inbound(carrier, call, commands, script.into(), order));
        Ok(sid)
    }

    /// The outcome of one call, once it is over and its last callback has been delivered. For an id that is not a
    /// call's this never returns: bound it.
    pub async fn call(&self, sid: &str) -> Arc<Outcome> {
        self.carrier.ledger.outcome(sid).await
    }

    /// The next outcome that this method has not given out yet, of any call, in the order in which they ended.
    pub async fn next_outcome(&self) -> Arc<Outcome> {
        self.carrier.ledger.next_outcome().await
    }

    /// The requests to the REST API so far, also the refused ones, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.carrier.ledger.requests()
    }

    /// The webhooks sent so far, with what came back, the oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.carrier.ledger.deliveries()
    }

    /// What the carrier's debugger would show so far, the oldest first.
    pub fn warnings(&self) -> Vec<Warning> {
        self.carrier.ledger.warnings()
    }

    /// What happens from now on. A watcher who falls 1024 happenings behind misses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Happening> {
        self.carrier.ledger.watch()
    }

    /// What goes wrong with calls that begin from now on.
    pub fn set_mischief(&self, mischief: Mischief) {
        self.carrier.set_mischief(mischief);
    }

    /// Trouble for one more request to the REST API; several are served in the order given.
    pub fn trouble(&self, trouble: Trouble) {
        self.carrier.trouble(trouble);
    }

    /// Points a number, new or known, at a voice webhook and a status callback.
    pub fn set_number(&self, number: &str, voice_url: &str, status_url: &str) {
        self.carrier.set_number(number, voice_url, status_url);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.server.abort();
        self.carrier.stop();
    }
}

impl Builder {
    /// Where to listen; a free port of 127.0.0.1 when nothing is said.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.to_owned();
        self
    }

    /// The account's id (`AC` and 32 hexadecimal digits) and its secret token.
    pub fn account(mut self, sid: &str, token: &str) -> Self {
        (self.account, self.token) = (sid.to_owned(), token.to_owned());
        self
    }

    /// A number of the account, and where calls to it ask for instructions.
    pub fn number(mut self, number: &str, voice_url: &str) -> Self {
        self.numbers.push((number.to_owned(), voice_url.to_owned()));
        self
    }

    /// Where the end of inbound calls is told.
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
        self.anyone = vec![plan];
        self
    }

    /// Requests to URLs that begin with `public` go to `local` instead, signed and named as if they had gone to `public`: as
    /// through a proxy or a tunnel. `https://voice.example.com` covers `wss://voice.example.com` too.
    pub fn tunnel(mut self, public: &str, local: &str) -> Self {
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        self.tunnels.push((bare(public), bare(local)));
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
    /// When the address cannot be listened on.
    pub async fn start(self) -> io::Result<Exchange> {
        // A provider may be installed already; either will do, since the exchange speaks no TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(&self.listen).await?;
        let address = listener.local_addr()?;
        let status_url = self.status_url;
        let numbers = self
            .numbers
            .into_iter()
            .map(|(number, voice_url)| {
                (
                    number,
                    Number {
                        sid: fresh("PN"),
                        voice_url,
                        status_url: status_url.clone(),
                    },
                )
            })
            .collect();
        let anyone = self
            .anyone
            .into_iter()
            .next()
            .map_or(Anyone::Unreachable, Anyone::Follows);
        let tunnels = self
            .tunnels
            .into_iter()
            .map(|(public, local)| Tunnel { public, local })
            .collect();
        let account = Account {
            sid: self.account,
            token: self.token,
        };
        let carrier = Carrier::new(
            account,
            numbers,
            (self.phones, anyone),
            tunnels,
            self.mischief,
        )
        .map_err(io::Error::other)?;
        let carrier = Arc::new(carrier);
        let router = rest::router(Arc::clone(&carrier));
        let server = tokio::spawn(async move {
            // Serving ends only when the exchange is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Exchange {
            carrier,
            address,
            server,
        })
    }
}

const LONGEST_RING: Duration = Duration::from_secs(60);
const LONGEST_CALL: Duration = Duration::from_secs(14_400);
