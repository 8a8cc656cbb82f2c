//! Everything that a carrier can be told to do by a request.

use std::time::{Duration, SystemTime};

use call::{Direction, Keys, Number, Private};
use ports::account::Addresses;
use ports::carrier::{
    Carrier, Conference, Conferences, Detect, Dial, Entry, Finds, Leg, Orders, Recording,
    Recordings, Sought, Stream, Tape, Transfer,
};
use ports::{Blame, Fault, Secret, Settings, Value as Setting, code};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::asked::Asked;
use crate::description::fits;
use crate::far::Far;

/// What to ask one carrier.
pub(crate) struct Sample {
    /// As on the list of carriers.
    pub(crate) name: &'static str,
    /// What it may be told by the configuration that changes its requests, each by a word for people.
    pub(crate) settings: Vec<(&'static str, Settings)>,
    /// The name of a call.
    pub(crate) leg: &'static str,
    /// The name of a recording.
    pub(crate) tape: &'static str,
    /// A number that the account has, by the answers to whoever asks.
    pub(crate) number: &'static str,
    /// What is not in the description.
    pub(crate) absent: &'static [Absent],
    /// Fields of a form that are cleared by saying nothing, though the description has no word for it.
    pub(crate) cleared: &'static [&'static str],
    /// Makes a second page of a list the last: the mock's own always has another one behind it.
    pub(crate) last_page: Scene,
    /// Different things that the account may say of that number.
    pub(crate) scenes: &'static [(&'static str, Scene)],
}

/// Changes an answer of the mock's, which is the same one again and again.
pub(crate) type Scene = fn(&Asked, &mut Value);

/// A request that the data does not have.
pub(crate) struct Absent {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    /// What it is answered, for our carriers to go on.
    pub(crate) answer: fn(&Asked) -> Value,
}

impl Absent {
    pub(crate) fn is(&self, asked: &Asked) -> bool {
        asked.method.as_str() == self.method && fits(self.template, &asked.path)
    }
}

/// Has our carrier make every request it can.
pub(crate) async fn tell(far: &Far, sample: &Sample) -> Result<(), String> {
    let found = carriers::LIST.iter().find(|it| it.name == sample.name);
    let entry: &Entry = found.ok_or_else(|| format!("{} is not on the list", sample.name))?;
    for (word, settings) in &sample.settings {
        let api = Setting::Text(format!("http://{}", far.address));
        let settings = settings.clone().with("api_url", api);
        let carrier = (entry.build)(&settings).map_err(|it| format!("{word}: {it:?}"))?;
        let teller = Teller { far, sample, word };
        teller.everything(carrier).await?;
    }
    Ok(())
}

struct Teller<'t> {
    far: &'t Far,
    sample: &'t Sample,
    word: &'t str,
}

impl Teller<'_> {
    /// Whatever a carrier gets to do besides has to be told here too, or this is not compiled.
    async fn everything(&self, carrier: Carrier) -> Result<(), String> {
        let Carrier {
            name: _,
            calls: _,
            limits,
            transfers,
            conferences,
            finds,
            presses,
            recordings,
            orders,
            machines: _,
            sound: _,
            webhooks: _,
            numbers: _,
            account: _,
            signs: _,
        } = &carrier;
        self.dials(&carrier).await?;
        self.calls(&carrier).await?;
        let leg = self.leg();
        if let Some(finds) = finds {
            self.finds(finds.as_ref()).await?;
        }
        if let Some(limits) = limits {
            for length in [Duration::ZERO, Duration::from_secs(600), LONG] {
                self.begin(&format!("time limit, {length:?}"));
                let done = limits.limit(&leg, length).await;
                self.end(done)?;
            }
        }
        if let Some(transfers) = transfers {
            let (to, from) = (number(THEIRS)?, number(OURS)?);
            for (ring, limit) in LENGTHS {
                self.begin(&format!("transfer, rings {ring:?}, talks {limit:?}"));
                let transfer = Transfer {
                    to: &to,
                    from: &from,
                    ring,
                    limit,
                    back: "https://gateway.example/carrier/again?call=1&after=2",
                    report: "https://gateway.example/carrier/status?call=1",
                };
                self.end(transfers.transfer(&leg, &transfer).await)?;
            }
        }
        if let Some(presses) = presses {
            for keys in ["1", "1w2W#*0aD"] {
                let keys = Keys::parse(keys).ok_or("those are not keys")?;
                self.begin(&format!("press keys, {} of them", keys.as_str().len()));
                self.end(presses.press(&leg, &keys).await)?;
            }
        }
        if let Some(conferences) = conferences {
            self.confers(conferences.as_ref()).await?;
        }
        if let Some(recordings) = recordings {
            self.records(recordings.as_ref()).await?;
        }
        if let Orders::Requested(offers) = orders {
            self.begin("answer");
            self.end(offers.answer(&leg, &stream()).await)?;
            self.begin("reject");
            self.end(offers.reject(&leg).await)?;
        }
        self.numbers(&carrier).await?;
        self.account(&carrier).await
    }

    async fn confers(&self, conferences: &dyn Conferences) -> Result<(), String> {
        for limit in [Duration::ZERO, LONG] {
            self.begin(&format!("put into a conference, {limit:?}"));
            let conference = Conference {
                name: "Daily stand-up",
                limit,
                back: "https://gateway.example/carrier/again?call=1&after=2",
                report: "https://gateway.example/carrier/status?call=1",
            };
            self.end(conferences.admit(&self.leg(), &conference).await)?;
        }
        self.begin("look into a conference");
        let held = conferences.holds(&self.leg(), "Daily stand-up").await;
        self.end(held.map(drop))
    }

    async fn records(&self, recordings: &dyn Recordings) -> Result<(), String> {
        for (direction, limit) in [
            (Direction::Inbound, Duration::ZERO),
            (Direction::Outbound, LONG),
        ] {
            self.begin(&format!("record, {direction:?}, {limit:?}"));
            let recording = Recording {
                direction,
                limit,
                report: "https://gateway.example/carrier/status?call=1",
            };
            self.end(recordings.record(&self.leg(), &recording).await)?;
        }
        self.begin("fetch a recording");
        let (tx, mut pieces) = mpsc::channel(1);
        let tape = Tape(Private::from(self.sample.tape.to_owned()));
        let sink = async { while pieces.recv().await.is_some() {} };
        // The address that a mock makes up leads nowhere: what is asked is what counts.
        let (_, ()) = tokio::join!(recordings.fetch(&tape, tx), sink);
        self.end(Ok(()))
    }

    async fn dials(&self, carrier: &Carrier) -> Result<(), String> {
        let (to, from) = (number(THEIRS)?, number(OURS)?);
        for detect in [Detect::Nothing, Detect::Machines] {
            for (ring, limit) in LENGTHS {
                let heeds = match detect {
                    Detect::Nothing => "",
                    Detect::Machines => ", heeds machines",
                };
                self.begin(&format!("dial, rings {ring:?}, lasts {limit:?}{heeds}"));
                let dial = Dial {
                    name: "0192",
                    from: &from,
                    to: &to,
                    voice_url: "https://gateway.example/carrier/voice?call=1",
                    status_url: "https://gateway.example/carrier/status?call=1",
                    ring,
                    limit,
                    detect,
                };
                self.end(carrier.calls.dial(dial).await)?;
            }
        }
        Ok(())
    }

    async fn calls(&self, carrier: &Carrier) -> Result<(), String> {
        let (calls, leg) = (&carrier.calls, self.leg());
        self.begin("status");
        self.end(calls.status(&leg).await)?;
        self.begin("reconnect");
        self.end(calls.reconnect(&leg, &stream()).await)?;
        self.begin("hang up");
        self.end(calls.hang_up(&leg).await)?;
        self.begin("check the account");
        self.end(calls.check().await)
    }

    async fn finds(&self, finds: &dyn Finds) -> Result<(), String> {
        let (to, from) = (number(THEIRS)?, number(OURS)?);
        self.begin_in("find what came of a dial", self.sample.last_page);
        let sought = Sought {
            name: "0192",
            from: &from,
            to: &to,
            since: SystemTime::now(),
        };
        self.end(finds.find(&sought).await)
    }

    async fn numbers(&self, carrier: &Carrier) -> Result<(), String> {
        let Some(numbers) = &carrier.numbers else {
            return Ok(());
        };
        let (ours, other) = (number(self.sample.number)?, number(THEIRS)?);
        let to = Addresses {
            voice: "https://gateway.example/carrier/voice".to_owned(),
            status: "https://gateway.example/carrier/status".to_owned(),
        };
        for (scene, set) in self.sample.scenes {
            let begin = |what: &str| self.begin_in(&format!("{what}, {scene}"), *set);
            begin("list numbers");
            let listed = numbers.list().await;
            let listed = listed.and_then(|all| {
                let mut ours_too = all.into_iter().filter(|it| it.number == ours);
                ours_too.next().ok_or_else(missing)
            });
            self.end(listed)?;
            begin("find a number");
            let found = numbers.find(&ours).await;
            self.end(found.and_then(|it| it.ok_or_else(missing)))?;
            begin("find another's number");
            self.end(numbers.find(&other).await)?;
            begin("point a number");
            self.end(numbers.point(&ours, &to).await)?;
        }
        Ok(())
    }

    async fn account(&self, carrier: &Carrier) -> Result<(), String> {
        let Some(account) = &carrier.account else {
            return Ok(());
        };
        let numbers = [number(THEIRS)?, number("+442071838750")?];
        self.begin("what the account may do");
        self.end(account.obstacles(&numbers.each_ref()).await)?;
        self.begin("what time it is");
        self.end(account.time().await)
    }

    fn begin(&self, what: &str) {
        self.begin_in(what, |_, _| ());
    }

    fn begin_in(&self, what: &str, scene: Scene) {
        let story = format!("{what} ({})", self.word);
        self.far.begin(story, scene);
    }

    /// Everything that is told here sends a request.
    fn end<T>(&self, result: Result<T, Fault>) -> Result<(), String> {
        let at_all = self.far.understood(result);
        at_all.ok_or_else(|| format!("{}: a request was not sent", self.sample.name))
    }

    fn leg(&self) -> Leg {
        Leg(self.sample.leg.to_owned())
    }
}

fn missing() -> Fault {
    let message = "a number of the account's is not found";
    Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
}

fn stream() -> Stream {
    Stream {
        url: "wss://gateway.example/carrier/media/0123456789abcdef".to_owned(),
        token: Secret::new("0123456789abcdef"),
        back: "https://gateway.example/carrier/again?call=1&after=2".to_owned(),
    }
}

fn number(text: &str) -> Result<Number, String> {
    Number::parse(text).map_err(|_| format!("{text} is not a number"))
}

const OURS: &str = "+15550001111";
const THEIRS: &str = "+15551230000";

const LONG: Duration = Duration::from_secs(99_999);

/// How long it rings and how long it lasts: as people would have it, and beyond every bound.
const LENGTHS: [(Duration, Duration); 3] = [
    (Duration::from_millis(24_001), Duration::from_secs(3_600)),
    (Duration::ZERO, Duration::ZERO),
    (Duration::from_secs(9_999), LONG),
];
