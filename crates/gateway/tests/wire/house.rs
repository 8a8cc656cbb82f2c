//! A gateway and an exchange, wired to each other over loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use call::Event;
use exchange::mischief::Mischief;
use exchange::phone::PhonePlan;
use exchange::{Builder, Exchange, Outcome};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::rulebook::Source;
use gateway::switchboard::{LoadVoice, OnMachine, Purpose, Record, Wish};
use media::{Rate, UtteranceId};
use ports::speech::{Hearing, Listen, Speak, Spoken, Synthesizer, Transcriber, Voice};
use ports::{Fault, Link, code, pair};
use tokio::runtime::Runtime;

use crate::canaries::Watched;

pub(crate) const OURS: &str = "+15550001111";
pub(crate) const THEIRS: &str = "+15551234567";
pub(crate) const STRANGER: &str = "+15559876543";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct House {
    /// Looked through while the gateway is still there.
    files: Watched,
    pub(crate) exchange: Exchange,
    pub(crate) gateway: Gateway,
    pub(crate) public: String,
    /// The configuration, as it was at first.
    pub(crate) text: String,
    apart: Option<Runtime>,
}

impl House {
    /// A phone that is answered by `phone`, and a line of ours that echoes.
    pub(crate) async fn new(phone: PhonePlan, mischief: Mischief) -> Self {
        Self::with(phone, mischief, |_, text| text).await
    }

    /// The same over the wire of this carrier, with another configuration than usual.
    pub(crate) async fn of(
        carrier: &str,
        phone: PhonePlan,
        mischief: Mischief,
        other: impl FnOnce(&Path, String) -> String,
    ) -> Self {
        let exchange = exchange_of(carrier);
        Self::beside(exchange, phone, mischief, other).await
    }

    /// The same with another configuration than usual, and perhaps with files beside it.
    pub(crate) async fn with(
        phone: PhonePlan,
        mischief: Mischief,
        other: impl FnOnce(&Path, String) -> String,
    ) -> Self {
        let exchange = Exchange::builder().account("AC00000000000000000000000000000000", TOKEN);
        Self::beside(exchange, phone, mischief, other).await
    }

    pub(crate) async fn beside(
        exchange: Builder,
        phone: PhonePlan,
        mischief: Mischief,
        other: impl FnOnce(&Path, String) -> String,
    ) -> Self {
        Self::speaking(voice(), exchange, phone, mischief, other).await
    }

    /// The same with this voice from its first moment on: a gateway may make sound of what everyone hears first as
    /// soon as it has read its configuration.
    pub(crate) async fn speaking(
        voice: LoadVoice,
        exchange: Builder,
        phone: PhonePlan,
        mischief: Mischief,
        other: impl FnOnce(&Path, String) -> String,
    ) -> Self {
        let port = free_address().port();
        let public = format!("http://127.0.0.1:{port}");
        let exchange = exchange
            .number(OURS, "http://127.0.0.1:9/")
            .phone(THEIRS, phone)
            .mischief(mischief)
            .start()
            .await
            .expect("the exchange starts");
        let carrier = exchange.carrier();
        exchange.set_number(
            OURS,
            &format!("{public}/{carrier}/voice"),
            &format!("{public}/{carrier}/status"),
        );
        let mut files = Watched::new();
        let path = files.path().join("offhook.toml");
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:{port}"
public_url = "{public}"
{table}
[numbers."{OURS}"]
carrier = "{carrier}"
agent = "echo"
[agents.echo]
kind = "echo-test"
[policy]
call = ["{THEIRS}"]
answer = ["{THEIRS}"]
owner = ["{THEIRS}"]
max_calls = 2
[turns]
linger_ms = 300
"#,
            table = exchange.configuration()
        );
        let text = other(files.path(), text);
        std::fs::write(&path, &text).expect("the folder can be written");
        let gateway = start(files.path(), voice)
            .await
            .expect("the gateway starts");
        files.asks(&gateway);
        Self {
            exchange,
            gateway,
            public,
            text,
            files,
            apart: None,
        }
    }

    /// The same with a gateway that can be [killed](Self::with_its_gateway_killed): all that it begins by
    /// itself runs apart from the test.
    pub(crate) async fn mortal(
        exchange: Builder,
        phone: PhonePlan,
        other: impl FnOnce(&Path, String) -> String,
    ) -> Self {
        let house = Self::beside(exchange, phone, Mischief::default(), other).await;
        let Self {
            gateway, mut files, ..
        } = house;
        gateway.close(Duration::from_secs(1)).await;
        let apart = apart();
        let folder = files.path().to_owned();
        let started = apart.spawn(async move { start_again(&folder, voice()).await });
        let gateway = started.await.expect("it does not break");
        files.asks(&gateway);
        Self {
            gateway,
            files,
            apart: Some(apart),
            ..house
        }
    }

    /// The gateway is gone in the middle of whatever it was doing, and there is another one.
    pub(crate) async fn with_its_gateway_killed(mut self) -> Self {
        let apart = self.apart.take().expect("it is mortal");
        apart.shutdown_background();
        drop(self.gateway);
        let gateway = start_again(self.files.path(), voice()).await;
        self.files.asks(&gateway);
        Self { gateway, ..self }
    }

    /// The same with another gateway, which knows what the one before has written down.
    pub(crate) async fn with_another_gateway(self) -> Self {
        self.with_another_gateway_speaking(voice()).await
    }

    /// The same with this voice from its first moment on.
    pub(crate) async fn with_another_gateway_speaking(mut self, voice: LoadVoice) -> Self {
        self.gateway.close(Duration::from_secs(1)).await;
        let gateway = start_again(self.files.path(), voice).await;
        self.files.asks(&gateway);
        Self { gateway, ..self }
    }

    /// The gateway has let go of its calls, as it does when it is stopped, and another one takes them up.
    pub(crate) async fn with_its_gateway_stopped(mut self) -> Self {
        let apart = self.apart.take().expect("it is mortal");
        let left = self.gateway.hand_over(Duration::ZERO, async {}).await;
        assert!(left > 0, "there were calls");
        apart.shutdown_background();
        let gateway = start_again(self.files.path(), voice()).await;
        self.files.asks(&gateway);
        Self { gateway, ..self }
    }

    /// A file beside the configuration, or that itself.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// An address of the gateway's for its carrier.
    pub(crate) fn door(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.public, self.exchange.carrier())
    }

    pub(crate) async fn notify(&self, to: &str, text: &str) -> Result<Arc<Record>, Fault> {
        let wish = Wish {
            to: to.into(),
            purpose: Purpose::Notify(text.into()),
            on_machine: OnMachine::Talk,
            ..Wish::default()
        };
        self.gateway.board.dial(wish).await
    }

    /// The only call there has been, once it is over.
    pub(crate) async fn outcome(&self) -> Arc<Outcome> {
        soon(self.exchange.next_outcome()).await
    }
}

/// Threads that can be taken away in one moment. There is one that does anything: of several, one would see the others
/// go, and hang up on their callers.
pub(crate) fn apart() -> Runtime {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    threads.expect("there are threads")
}

/// Where a gateway can listen that is yet to be started.
pub(crate) fn free_address() -> SocketAddr {
    let port = exchange::free_port().expect("there is a free port");
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The one before lets go of its port and its journal in its own time.
pub(crate) async fn start_again(folder: &Path, voice: LoadVoice) -> Gateway {
    let started = async {
        loop {
            match start(folder, voice.clone()).await {
                Err(fault) if [code::GATEWAY_PORT, code::JOURNAL_TAKEN].contains(&fault.code) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                started => return started.expect("the gateway starts"),
            }
        }
    };
    soon(started).await
}

pub(crate) async fn start(folder: &Path, voice: LoadVoice) -> Result<Gateway, Fault> {
    let path = folder.join("offhook.toml");
    let loaded = config::load(&path, &lists()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let source = Source {
        path,
        lists: lists(),
        voice: Arc::new(move |_| voice.clone()),
    };
    let started = Gateway::start_from(source, loaded, folder.join("state")).await;
    started.map(|(gateway, _)| gateway)
}

/// An exchange of this carrier; `…_wide`: one whose phones carry wideband sound.
pub(crate) fn exchange_of(carrier: &str) -> Builder {
    match carrier.strip_suffix("_wide") {
        Some(name) => Exchange::builder().carrier(name).wideband(),
        None => Exchange::builder().carrier(carrier),
    }
}

/// Bounds what should not take long.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it happens soon")
}

pub(crate) fn events(record: &Record) -> Vec<Event> {
    record.log.after(0).into_iter().map(|it| it.event).collect()
}

/// Ears that hear nothing, and a mouth that hums fifty milliseconds for each letter.
pub(crate) fn voice() -> LoadVoice {
    hearing("")
}

/// The same with ears that hear these words whenever somebody stops speaking.
pub(crate) fn hearing(words: &'static str) -> LoadVoice {
    Arc::new(move || {
        let voice = Arc::new(Hum(words));
        Ok(Voice {
            ears: voice.clone(),
            mouth: voice,
            detector: None,
        })
    })
}

struct Hum(&'static str);

#[async_trait::async_trait]
impl Transcriber for Hum {
    async fn open(&self, _: &str, _: Rate) -> Result<Link<Listen, Hearing>, Fault> {
        let (near, mut far) = pair(64);
        let words = self.0;
        tokio::spawn(async move {
            while let Some(listen) = far.rx.recv().await {
                if let Listen::Finalize = listen {
                    let _ = far.tx.send(Hearing::Final(words.into())).await;
                }
            }
        });
        Ok(near)
    }
}

#[async_trait::async_trait]
impl Synthesizer for Hum {
    async fn open(&self, rate: Rate) -> Result<Link<Speak, Spoken>, Fault> {
        let (near, mut far) = pair(64);
        tokio::spawn(async move {
            while let Some(speak) = far.rx.recv().await {
                if let Speak::Text(id, text) = speak {
                    hum(&far, rate, id, text.reveal().len()).await;
                }
            }
        });
        Ok(near)
    }
}

async fn hum(far: &Link<Spoken, Speak>, rate: Rate, id: UtteranceId, letters: usize) {
    let length = Duration::from_millis(50 * letters as u64);
    let tone = |at: usize| (8_000.0 * (at as f64 * 2_764.6 / f64::from(rate.hz())).sin()) as i16;
    let samples = (0..rate.samples_in(length)).map(tone).collect();
    let _ = far.tx.send(Spoken::Audio(id, samples)).await;
    let _ = far.tx.send(Spoken::Done(id, length)).await;
}
