//! What a phone company must offer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use call::event::{End, Who, Why};
use call::{Attestation, Digit, Direction, Keys, Number, Private};
use media::{Format, Line, Mark, Packet, Rate};
use tokio::sync::mpsc;

use crate::account::{Account, Numbers, Signs};
use crate::{Fault, Key, Problem, Settings};

/// One kind of carrier, as the list of carriers holds it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// As written in the configuration, and in the paths of webhooks.
    pub name: &'static str,
    /// What it may be told.
    pub keys: &'static [Key],
    /// Builds it.
    pub build: fn(&Settings) -> Result<Carrier, Vec<Problem>>,
}

/// A phone company, as the set of things it can do.
#[derive(Clone)]
pub struct Carrier {
    /// For people to read. Nothing may branch on it.
    pub name: &'static str,
    /// Makes and ends calls.
    pub calls: Arc<dyn Calls>,
    /// Changes how long a call may last; absent: only the dial can say that.
    pub limits: Option<Arc<dyn Limits>>,
    /// Puts calls through to someone else, by itself; absent: it cannot.
    pub transfers: Option<Arc<dyn Transfers>>,
    /// Keeps rooms in which callers hear one another; absent: it has none.
    pub conferences: Option<Arc<dyn Conferences>>,
    /// Finds calls again whose dial had no answer; absent: only their webhooks tell of them.
    pub finds: Option<Arc<dyn Finds>>,
    /// Presses keys, by itself; absent: they are tones in the sound that we send.
    pub presses: Option<Arc<dyn Presses>>,
    /// Records calls, by itself; absent: only we do.
    pub recordings: Option<Arc<dyn Recordings>>,
    /// How it is told what to do with a call it asks about.
    pub orders: Orders,
    /// What it says of whoever picks up.
    pub machines: Machines,
    /// How sound travels.
    pub sound: Sound,
    /// Reads what the carrier tells us over HTTP.
    pub webhooks: Arc<dyn Webhooks>,
    /// The account's numbers; absent: they are looked after elsewhere.
    pub numbers: Option<Arc<dyn Numbers>>,
    /// What the account may do; absent: only a call can tell.
    pub account: Option<Arc<dyn Account>>,
    /// Signs as the carrier does; absent: only the carrier can.
    pub signs: Option<Arc<dyn Signs>>,
}

/// The carrier's own name for one of its calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leg(pub String);

/// Makes and ends calls.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Calls someone. Never retried by anyone unless the fault says [`crate::Retry::IfNotSent`].
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault>;
    /// Ends a call, in whatever state it is. Ending one that is over is not a fault.
    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault>;
    /// Takes a call that is up out of whatever it is doing, and connects its sound to this socket.
    /// Not to be repeated unless the fault says [`crate::Retry::IfNotSent`]: the socket opens once.
    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault>;
    /// How a call is doing, by the carrier's own word.
    async fn status(&self, leg: &Leg) -> Result<Status, Fault>;
    /// Checks that our credentials are good, for `offhook doctor`. Returns a line for people.
    async fn check(&self) -> Result<String, Fault>;
}

/// Changes how long a call may last.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Has the carrier end the call this long after it was answered, even if we are gone by then.
    /// A later word replaces an earlier one.
    async fn limit(&self, leg: &Leg, length: Duration) -> Result<(), Fault>;
}

/// Puts calls through to someone else, without us: their sound does not come here any more.
#[async_trait]
pub trait Transfers: Send + Sync {
    /// Has the carrier take a call that is up out of whatever it is doing, and call someone for it.
    /// That this worked says only that the carrier was told so: [`News::Joined`] says that they
    /// talk, and [`News::PutBack`] that nobody came. Its socket is to be closed after this, whoever
    /// else closes it too; where the carrier then asks at [`Door::Again`] what to do
    /// ([`News::Adrift`]), the answer is [`Reply::Transfer`].
    ///
    /// Not to be repeated unless the fault says [`crate::Retry::IfNotSent`]: it makes a phone ring.
    async fn transfer(&self, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault>;
}

/// Keeps rooms in which calls hear one another, without us: their sound does not come here any more.
#[async_trait]
pub trait Conferences: Send + Sync {
    /// Has the carrier take a call that is up out of whatever it is doing, and put it into a room, which
    /// is opened if it is not there. That this worked says only that the carrier was told so:
    /// [`News::Joined`] says that the call is in, where the carrier tells us and nobody else, and
    /// [`Conferences::holds`] whenever it is asked. [`News::PutBack`] says that it could not be let in,
    /// and [`News::Parted`] that it is out again. Its socket is to be closed after this, whoever else
    /// closes it too; where the carrier then asks at [`Door::Again`] what to do ([`News::Adrift`]), the
    /// answer is [`Reply::Admit`].
    async fn admit(&self, leg: &Leg, conference: &Conference<'_>) -> Result<(), Fault>;
    /// Whether a call is in the room of this name.
    async fn holds(&self, leg: &Leg, name: &str) -> Result<bool, Fault>;
}

/// Finds calls again that were perhaps made: the answer to their dial did not come.
#[async_trait]
pub trait Finds: Send + Sync {
    /// What the carrier has of a dial: also a call that is over, if it knows of such.
    async fn find(&self, sought: &Sought<'_>) -> Result<Traces, Fault>;
}

/// What a carrier has of a dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traces {
    /// The call that came of it, if it is up: the carrier keeps what we gave it with the dial, and says
    /// nothing of calls that are over.
    Up(Option<Leg>),
    /// All calls from that number to that one since then, among which may be others of ours.
    Among(Vec<Leg>),
}

/// What a call was dialled with.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// [`Dial::name`].
    pub name: &'a str,
    /// [`Dial::from`].
    pub from: &'a Number,
    /// [`Dial::to`].
    pub to: &'a Number,
    /// When its request was sent, by our clock.
    pub since: SystemTime,
}

impl Sought<'_> {
    /// Whether a call of that age may be it: our clock and the carrier's need not agree.
    pub fn may_be_of(&self, made: SystemTime) -> bool {
        made.checked_add(CLOCKS_APART)
            .is_none_or(|made| made >= self.since)
    }
}

/// So far apart may be our clock and a carrier's.
const CLOCKS_APART: Duration = Duration::from_secs(30);

/// Presses keys on a call whose sound comes here, and goes on doing so.
///
/// A tone in the sound is heard by most machines; what a carrier presses is heard by all, since it can
/// say it in whatever way the far end understands.
#[async_trait]
pub trait Presses: Send + Sync {
    /// Presses these keys now. They take about [`Keys::length`], from the answer on.
    ///
    /// A fault says that none was pressed, but for one of the code
    /// [`crate::code::CARRIER_UNREACHABLE`] that does not also say [`crate::Retry::IfNotSent`]:
    /// then perhaps they were, and are not to be pressed again.
    async fn press(&self, leg: &Leg, keys: &Keys) -> Result<(), Fault>;
}

/// Records calls, without us: what is said while their sound does not come here is on it too.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// Records a call that is up, from now on until it is over: the person on one channel, and what they
    /// hear on the other. Where it is to be had is said once it is over ([`News::Recorded`]).
    async fn record(&self, leg: &Leg, recording: &Recording<'_>) -> Result<(), Fault>;
    /// Fetches a recording as a WAV file, piece by piece in order. What was given before a fault is of
    /// no use. One that is not there yet is a fault that says [`crate::Retry::Now`].
    async fn fetch(&self, tape: &Tape, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault>;
}

/// How a call is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// Who called whom.
    pub direction: Direction,
    /// How long the call may last from now on, and so what is recorded of it.
    pub limit: Duration,
    /// Where the carrier reports that it is to be had ([`Door::Status`]). Ours, and names the call.
    pub report: &'a str,
}

/// What a carrier calls a recording. Whoever knows it may be able to hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tape(pub Private<String>);

/// Whom a call is put through to, and how.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Whom to call.
    pub to: &'a Number,
    /// What is shown to them: one of our numbers.
    pub from: &'a Number,
    /// How long it may ring.
    pub ring: Duration,
    /// How long they may talk.
    pub limit: Duration,
    /// Where the carrier asks what to do with the call when nobody came, or when they are done
    /// ([`Door::Again`]). Ours, and names the call.
    pub back: &'a str,
    /// Where the carrier reports that they talk ([`Door::Status`]). Ours, and names the call.
    pub report: &'a str,
}

/// Which room a call is put into, and how.
#[derive(Clone, Copy, Debug)]
pub struct Conference<'a> {
    /// What the room is called: 1 to 64 letters, digits, spaces, `-` and `_`. It is the account's: everyone
    /// whom the account puts into one of this name is in it.
    pub name: &'a str,
    /// How long the call may be in it.
    pub limit: Duration,
    /// Where the carrier asks what to do with the call when it is out again ([`Door::Again`]). Ours, and
    /// names the call.
    pub back: &'a str,
    /// Where the carrier reports who is in the room ([`Door::Status`]). Ours, and names the call; what is
    /// reported there may be about another one.
    pub report: &'a str,
}

/// How a carrier is told what to do with a call it asks about.
#[derive(Clone)]
pub enum Orders {
    /// In the reply to its question ([`Webhooks::reply`]).
    Replied,
    /// By requests of ours, once its question was taken: these, [`Calls::reconnect`] for a call that
    /// was answered, and [`Calls::hang_up`]. Its questions and its reports may come to either address.
    Requested(Arc<dyn Offers>),
}

/// What a carrier says of whoever picks up, a person or a machine, when [`Dial::detect`] asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machines {
    /// Nothing: only the sound tells.
    Heard,
    /// Who it is, whoever it is: its word is waited for.
    Told,
    /// Only that it is a machine, so nobody waits for its word.
    Noticed,
}

/// What a carrier should find out of whoever picks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detect {
    /// Nothing. It costs money.
    Nothing,
    /// Whether it is a machine, if it was configured to ([`Machines`]). The sound is not to wait for it.
    Machines,
}

/// Takes offered calls, or does not.
#[async_trait]
pub trait Offers: Send + Sync {
    /// Takes an offered call, and connects its sound to this socket. Doing it twice does no harm.
    async fn answer(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault>;
    /// Does not take an offered call; it must not cost anything. One that is over is not a fault.
    async fn reject(&self, leg: &Leg) -> Result<(), Fault>;
}

/// A call to make.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// Our name for the call, which is no other's.
    pub name: &'a str,
    /// Our number.
    pub from: &'a Number,
    /// Theirs.
    pub to: &'a Number,
    /// Where the carrier asks what to do once the call is answered. Ours, and names the call.
    pub voice_url: &'a str,
    /// Where the carrier reports how the call is doing. Ours, and names the call.
    pub status_url: &'a str,
    /// How long it may ring.
    pub ring: Duration,
    /// How long it may last, so that the carrier ends it even if we are gone. At first, where the
    /// carrier has [`Limits`]; else in all.
    pub limit: Duration,
    /// What to find out of whoever picks up: said by [`News::AnsweredBy`].
    pub detect: Detect,
}

/// Where a call's sound goes: a socket of ours, and the token that opens it once.
#[derive(Clone, Debug)]
pub struct Stream {
    /// `wss://…`, with the token as the last segment of its path and no query.
    pub url: String,
    /// The token again, which the carrier repeats in the stream's first message.
    pub token: crate::Secret,
    /// Where the carrier asks what to do next, once the socket is gone and the call is not
    /// ([`Door::Again`]). Ours, and names the call.
    pub back: String,
}

/// How a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not yet answered.
    Pending,
    /// Answered.
    Up,
    /// Over.
    Ended(End),
}

/// How sound travels between the carrier and us.
#[derive(Clone)]
pub enum Sound {
    /// Messages on a websocket that the carrier opens.
    Stream(Dialect),
}

/// What is spoken on a carrier's websockets.
#[derive(Clone)]
pub struct Dialect {
    rate: Rate,
    open: Arc<dyn Fn() -> Box<dyn StreamProtocol> + Send + Sync>,
}

impl Dialect {
    /// Calls run at `rate` when all goes as it was asked for; `open` makes one socket's dialect.
    pub fn new(
        rate: Rate,
        open: impl Fn() -> Box<dyn StreamProtocol> + Send + Sync + 'static,
    ) -> Self {
        let open = Arc::new(open);
        Self { rate, open }
    }

    /// What to make a voice ready for while the phone rings. Each stream says for itself what it
    /// carries.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// One socket's dialect.
    pub fn open(&self) -> Box<dyn StreamProtocol> {
        (self.open)()
    }
}

/// One carrier's websocket dialect, for one socket. Pure: text in, meaning out.
pub trait StreamProtocol: Send {
    /// Reads one message. Fails only on what makes no sense; what is merely unknown is
    /// [`StreamEvent::Unknown`].
    fn decode<'m>(&'m mut self, message: &'m str) -> Result<StreamEvent<'m>, Fault>;
    /// Whether a carrier that is done with a stream says so by closing its socket as one should, and
    /// in no other way.
    fn stops_by_closing(&self) -> bool;
    /// Writes one message at the end of `out`, which the caller has cleared. Before the stream has
    /// started there is nothing to say and nothing is written.
    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String);
}

/// What a message on a media socket means.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent<'m> {
    /// Sound from the caller.
    Audio(Packet<'m>),
    /// A known message that means nothing to a call.
    Idle,
    /// A message this dialect does not have. Counted.
    Unknown,
    /// The far end has played everything before this mark, or cleared it.
    Marked(Mark),
    /// A key was pressed.
    Pressed(Digit),
    /// The stream begins.
    Started(Started),
    /// The stream ended as it should.
    Stopped,
}

/// How a stream introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Whose sound this is.
    pub leg: Leg,
    /// The token we gave.
    pub token: Repeated,
    /// What the caller's sound is written in.
    pub format: Format,
    /// What ours is written in. The call runs at the better of the two rates.
    pub spoken: Format,
    /// Whether its packets may overtake one another.
    pub line: Line,
}

/// Whether a stream repeats the token that its address ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// This. Empty if it is missing.
    Token(Private<String>),
    /// This dialect has no place for one: the address alone says it.
    Nothing,
}

/// What to tell the far end of a media socket.
#[derive(Clone, Copy, Debug)]
pub enum StreamCommand<'a> {
    /// Encoded sound, to be played after what was sent before.
    Audio(&'a [u8]),
    /// Throw away whatever has not been played yet.
    Clear,
    /// Say so when everything sent before has been played.
    Mark(Mark),
}

/// Reads a carrier's webhooks. Pure: the gateway owns the HTTP server.
pub trait Webhooks: Send + Sync {
    /// Proves that a webhook is the carrier's. There is no other way to make a [`Genuine`].
    fn verify<'r>(&self, request: &'r Request) -> Result<Genuine<'r>, Fault>;
    /// Proves that the opening of a media socket is the carrier's, as far as the carrier lets us:
    /// where it does not sign it, the token in its address is all there is.
    fn verify_socket(&self, request: &Request) -> Result<(), Fault>;
    /// What tells this webhook from all others, so that one that comes again is known.
    fn imprint(&self, request: &Genuine<'_>) -> Imprint;
    /// Reads a webhook.
    fn decode(&self, door: Door, request: Genuine<'_>) -> Result<Webhook, Fault>;
    /// Writes what the carrier wants to hear back.
    fn reply(&self, reply: Reply<'_>) -> Response;
}

/// Which of our addresses a webhook came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `/voice`: what should be done with this call?
    Voice,
    /// `/again`: the socket of this call is gone; what should be done with it now?
    Again,
    /// `/status`: this is how the call is doing.
    Status,
}

/// An HTTP request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// The public address as the carrier was given it, with path and query as received; `wss` for
    /// a media socket. Built from our configuration, never from headers.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As received, at most 64 KiB.
    pub body: Vec<u8>,
    /// When it came.
    pub received: SystemTime,
}

impl Request {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A request whose signature was checked.
#[derive(Debug)]
pub struct Genuine<'r>(&'r Request);

impl<'r> Genuine<'r> {
    /// Takes the carrier's own verdict on a signature. Only an implementation of
    /// [`Webhooks::verify`] has one to give.
    pub fn check(request: &'r Request, signed: bool) -> Option<Self> {
        signed.then_some(Self(request))
    }

    /// What was checked.
    pub fn request(&self) -> &'r Request {
        self.0
    }
}

/// Two hashes by which a webhook is known when it comes again. They are made of what was signed, decoded,
/// and of nothing else: who sends it once more may write its headers, its order and its escapes anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Imprint {
    /// The same whenever the carrier sends it again, by its own id where it has one, or else by all that
    /// it says.
    pub notice: [u8; 32],
    /// The same whenever somebody else does: of exactly the bytes that the signature is of. Where these
    /// can be read in more than one way, only this is the same for all of them.
    pub proof: [u8; 32],
}

/// What a webhook says.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Which call it is about.
    pub leg: Leg,
    /// What the dial called it. The same, but where a carrier gives a call a name of its own only
    /// once it is under way.
    pub dialled: Leg,
    /// The carrier's id for this notice: the same when it repeats itself.
    pub notice: String,
    /// What happened.
    pub news: News,
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The call is up and has no sound: its socket is gone. At [`Door::Again`], the reply connects
    /// it again.
    Adrift,
    /// The far end picked up a call we made. At [`Door::Voice`], the reply connects it.
    Answered,
    /// Who that was.
    AnsweredBy(Who),
    /// It is over.
    Ended(End),
    /// The call and whom it was put through to ([`Transfers`]) talk with one another, or it is in the room
    /// that it was put into ([`Conferences`]).
    Joined,
    /// Someone calls us. Numbers as the carrier wrote them: not checked, perhaps not numbers.
    Offered {
        /// Who.
        from: Private<String>,
        /// Which of our numbers.
        to: Private<String>,
        /// Who vouches for the number they show.
        attestation: Attestation,
    },
    /// Something that means nothing to a call.
    Nothing,
    /// Whom the call was put through to hung up, or it is out of the room that it was put into, and it is
    /// still up. At [`Door::Again`], the reply ends it.
    Parted,
    /// Nobody took the call that was put through, or no room, for this reason: it is up, and has no sound. At
    /// [`Door::Again`], the reply connects it again.
    PutBack(Why),
    /// It was recorded, as [`Recordings::record`] asked, and is over.
    Recorded(Tape),
    /// The carrier could not connect the call's sound, in its own words; the call is up.
    Unconnected(String),
    /// The far end rings.
    Ringing,
}

/// What to tell a carrier in reply to a webhook.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// Put the call into a room.
    Admit(&'a Conference<'a>),
    /// Connect the call's sound to this socket.
    Connect(&'a Stream),
    /// End the call.
    HangUp,
    /// Do not take the call; it must not cost anything.
    Reject,
    /// Thank you.
    Taken,
    /// Put the call through.
    Transfer(&'a Transfer<'a>),
}

/// An HTTP answer. Its status is 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}
