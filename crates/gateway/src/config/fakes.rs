//! Plugs that do nothing, for tests of what is said about plugs.

use std::sync::Arc;

use async_trait::async_trait;
use ports::agent::{Agent, Answer, Answerer, Introduction, Tell};
use ports::carrier::{
    Calls, Carrier, Dial, Dialect, Door, Finds, Genuine, Imprint, Leg, Machines, Orders, Reply,
    Request, Response, Sought, Sound, Status, Stream, StreamCommand, StreamEvent, StreamProtocol,
    Traces, Webhook, Webhooks,
};
use ports::{Blame, Fault, Key, Kind, Link, Need, Problem, Settings, code, pair};

use super::Lists;

/// A carrier, three kinds of agent and a speech vendor.
pub(crate) const LISTS: Lists = Lists {
    carriers: &[ports::carrier::Entry {
        name: "pigeon",
        keys: &[
            key("coop", Kind::Text, Need::Required),
            key("whistle", Kind::Secret, Need::Required),
            key("api_url", Kind::Url, Need::Optional),
            key("birds", Kind::Number, Need::Optional),
        ],
        build: carrier,
    }],
    agents: &[
        ports::agent::Entry {
            kind: "parrot",
            about: "repeats",
            keys: &[key("perch", Kind::Text, Need::Optional)],
            build: words,
        },
        ports::agent::Entry {
            kind: "oracle",
            about: "knows",
            keys: &[
                key("base_url", Kind::Url, Need::Required),
                key("api_key", Kind::Secret, Need::Optional),
            ],
            build: words,
        },
        ports::agent::Entry {
            kind: "cave",
            about: "echoes",
            keys: &[],
            build: loopback,
        },
    ],
    vendors: &[ports::speech::Entry {
        name: "local",
        keys: &[key("threads", Kind::Number, Need::Optional)],
        languages: &["en", "eo"],
        check: threads,
        build: voice,
    }],
};

fn threads(settings: &Settings) -> Result<(), Vec<ports::Problem>> {
    match settings.number("threads") {
        Some(0) => Err(vec![ports::Problem {
            key: "threads",
            message: "none would do no work".into(),
            hint: "write at least 1".into(),
        }]),
        Some(_) | None => Ok(()),
    }
}

const fn key(name: &'static str, kind: Kind, need: Need) -> Key {
    Key {
        name,
        kind,
        need,
        help: "what it is for",
    }
}

fn carrier(settings: &Settings) -> Result<Carrier, Vec<Problem>> {
    if settings.text("coop") == Some("burnt") {
        return Err(vec![Problem {
            key: "coop",
            message: "it has burnt down".to_owned(),
            hint: "build another".to_owned(),
        }]);
    }
    let forgetful = settings.text("coop") == Some("forgetful");
    let whistle = settings.secret("whistle").is_some_and(|it| it.is("tweet"));
    Ok(Carrier {
        machines: Machines::Heard,
        name: "Pigeon Post",
        calls: Arc::new(Pigeon { whistle }),
        limits: None,
        transfers: None,
        conferences: None,
        finds: forgetful.then(|| Arc::new(Forgetful) as Arc<dyn Finds>),
        presses: None,
        recordings: None,
        orders: Orders::Replied,
        sound: Sound::Stream(Dialect::new(media::Rate::Hz8000, || Box::new(Coo))),
        webhooks: Arc::new(Coo),
        numbers: None,
        account: None,
        signs: None,
    })
}

fn words(_settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    Ok(Answerer::Words {
        agent: Arc::new(Parrot),
        opens: ports::agent::Opens::Agent,
    })
}

fn loopback(_settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    Ok(Answerer::Loopback)
}

fn voice(_settings: &Settings) -> Result<ports::speech::Voice, Fault> {
    Err(refused())
}

fn refused() -> Fault {
    Fault::new(Blame::Carrier, code::CARRIER_CREDENTIALS, "wrong whistle").hint("whistle better")
}

/// A carrier whose only word is whether our whistle is right.
struct Pigeon {
    whistle: bool,
}

#[async_trait]
impl Calls for Pigeon {
    async fn dial(&self, _dial: Dial<'_>) -> Result<Leg, Fault> {
        Err(refused())
    }
    async fn hang_up(&self, _leg: &Leg) -> Result<(), Fault> {
        Ok(())
    }
    async fn reconnect(&self, _leg: &Leg, _stream: &Stream) -> Result<(), Fault> {
        Ok(())
    }
    async fn status(&self, _leg: &Leg) -> Result<Status, Fault> {
        Ok(Status::Pending)
    }
    async fn check(&self) -> Result<String, Fault> {
        if self.whistle {
            Ok("the coop answers".to_owned())
        } else {
            Err(refused())
        }
    }
}

/// One that knows only the calls that are up, of which there are none.
struct Forgetful;

#[async_trait]
impl Finds for Forgetful {
    async fn find(&self, _sought: &Sought<'_>) -> Result<Traces, Fault> {
        Ok(Traces::Up(None))
    }
}

struct Coo;

impl StreamProtocol for Coo {
    fn decode<'m>(&'m mut self, _message: &'m str) -> Result<StreamEvent<'m>, Fault> {
        Ok(StreamEvent::Idle)
    }
    fn stops_by_closing(&self) -> bool {
        false
    }
    fn encode(&mut self, _command: StreamCommand<'_>, _out: &mut String) {}
}

impl Webhooks for Coo {
    fn verify<'r>(&self, _request: &'r Request) -> Result<Genuine<'r>, Fault> {
        Err(refused())
    }
    fn verify_socket(&self, _request: &Request) -> Result<(), Fault> {
        Err(refused())
    }
    fn imprint(&self, _request: &Genuine<'_>) -> Imprint {
        Imprint {
            notice: [0; 32],
            proof: [0; 32],
        }
    }
    fn decode(&self, _door: Door, _request: Genuine<'_>) -> Result<Webhook, Fault> {
        Err(refused())
    }
    fn reply(&self, _reply: Reply<'_>) -> Response {
        Response {
            content_type: "text/plain",
            body: String::new(),
        }
    }
}

struct Parrot;

#[async_trait]
impl Agent for Parrot {
    async fn open(&self, _call: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        Ok(pair(1).0)
    }
    async fn check(&self) -> Result<String, Fault> {
        Ok("it talks".to_owned())
    }
}
