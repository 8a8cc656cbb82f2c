//! A meeting over the wires of every carrier, and a caller who is put through from one carrier's phone to another's:
//! with real ears and voices, and the exchange at the other end of each wire.
//!
//! `cargo run --release -p gateway --example meeting [DIR]` says what each of them heard, written down
//! again by the ears, and leaves the recordings in DIR (`out/meeting`).

#![expect(clippy::print_stdout, reason = "its standard output is its report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use call::meeting::{Announcing, Command};
use exchange::phone::{PhonePlan, Step};
use exchange::{Exchange, Outcome, wav};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::rulebook::Source;
use gateway::switchboard::{Guest, LoadVoice, Meet};
use media::Rate;
use ports::Fault;
use speech::local::{Reader, Scribe};
use speech::models::{Progress, Store};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "out/meeting".to_owned());
    let dir = PathBuf::from(dir);
    fs::create_dir_all(&dir)?;
    let people = tokio::task::spawn_blocking(People::load).await??;
    conference(&people, &dir).await?;
    transfer(&people, &dir).await?;
    speech::rest(Duration::from_secs(5));
    Ok(())
}

/// Voices for whoever is called, and ears for what they heard.
struct People {
    reader: Reader,
    scribe: Scribe,
}

impl People {
    fn load() -> Result<Self, Fault> {
        let store = Store::of_user();
        store.fetch(Progress::detect())?;
        Ok(Self {
            reader: Reader::best(&store)?,
            scribe: Scribe::open(&store)?,
        })
    }

    /// Says something; a higher `pitch` is another person.
    fn says(&self, text: &str, pitch: u32) -> Result<Step, Fault> {
        let sound = self.reader.speak(text, Rate::Hz8000)?;
        Ok(Step::Say(wav::to_line_rate(&sound, pitch)))
    }

    /// What somebody heard, and keeps it.
    fn heard(
        &self,
        who: &str,
        outcome: &Outcome,
        dir: &Path,
    ) -> Result<(), Box<dyn std::error::Error>> {
        outcome.ear.write_wav(dir.join(format!("{who}.wav")))?;
        let mut told = Vec::new();
        for part in parts(outcome.ear.agent()) {
            let text = self.scribe.transcribe(part, Rate::Hz8000)?;
            told.extend((!text.trim().is_empty()).then(|| text.trim().to_owned()));
        }
        println!("  {who} heard: {}", told.join(" | "));
        Ok(())
    }
}

/// Three carriers, each with one phone.
struct Town {
    exchanges: Vec<Exchange>,
    gateway: Gateway,
}

impl Town {
    async fn new(dir: &Path, phones: [PhonePlan; 3]) -> Result<Self, Box<dyn std::error::Error>> {
        let port = exchange::free_port()?;
        let public = format!("http://127.0.0.1:{port}");
        let (mut exchanges, mut tables) = (Vec::new(), String::new());
        for (index, (carrier, phone)) in exchange::CARRIERS.iter().zip(phones).enumerate() {
            let exchange = Exchange::builder()
                .carrier(carrier)
                .number(OURS[index], &format!("{public}/{carrier}/voice"))
                .status_url(&format!("{public}/{carrier}/status"))
                .phone(THEIRS[index], phone)
                .start()
                .await?;
            tables += &exchange.configuration();
            tables += &format!(
                "[numbers.\"{}\"]\ncarrier = \"{carrier}\"\nagent = \"desk\"\n",
                OURS[index]
            );
            exchanges.push(exchange);
        }
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{public}\"\n{tables}\
             [agents.desk]\nkind = \"answering-service\"\ntransfer_to = [\"ben\"]\n\
             [transfers.ben]\nnumber = \"{ben}\"\nfrom = \"{from}\"\nspoken = \"Ben\"\nafter = \"return\"\n\
             [policy]\ncall = {THEIRS:?}\nanswer = {THEIRS:?}\nowner = {THEIRS:?}\nmax_calls = 8\n",
            ben = THEIRS[1],
            from = OURS[1],
        );
        let path = dir.join("offhook.toml");
        fs::write(&path, text)?;
        let loaded = config::load(&path, &lists()).map_err(|problems| format!("{problems:?}"))?;
        let source = Source {
            path,
            lists: lists(),
            voice: Arc::new(voice),
        };
        let (gateway, _) = Gateway::start_from(source, loaded, dir.join("state")).await?;
        gateway.board.warm_up().await?;
        Ok(Self { exchanges, gateway })
    }
}

fn voice(plan: &config::Plan) -> LoadVoice {
    let speech = plan.speech.clone();
    Arc::new(move || {
        let vendor = speech::LIST.iter().find(|it| it.name == speech.vendor);
        (vendor.expect("the plan names a vendor of this list").build)(&speech.settings)
    })
}

/// One after another they say something, and each hears the others and the owner's announcement.
async fn conference(people: &People, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let dir = dir.join("conference");
    fs::create_dir_all(&dir)?;
    let script = |at: u64, text: &str, pitch: u32| -> Result<PhonePlan, Fault> {
        let steps = [
            Step::Wait(seconds(at)),
            people.says(text, pitch)?,
            Step::Wait(seconds(22 - at)),
            Step::HangUp,
        ];
        Ok(PhonePlan::answers(Duration::from_millis(500), steps))
    };
    let phones = [
        script(7, "This is Anna. I can hear all of you.", 8_800)?,
        script(12, "This is Ben. The boxes arrived on Monday.", 8_000)?,
        script(17, "This is Cleo. Then we can open on Friday.", 9_400)?,
    ];
    let town = Town::new(&dir, phones).await?;
    println!("a meeting of {}", exchange::CARRIERS.join(", "));
    let guest = |index: usize| Guest {
        name: Some(NAMES[index].to_owned()),
        to: THEIRS[index].to_owned(),
        from: Some(OURS[index].to_owned()),
        purpose: None,
    };
    let meet = Meet {
        guests: (0..3).map(guest).collect(),
        agent: None,
        // What is measured is what they say.
        announcing: Announcing::Off,
    };
    let room = town.gateway.board.meet(meet).await?;
    room.until(|view| view.people.iter().filter(|it| it.here).count() == 3)
        .await;
    room.command(Command::Announce(
        "Welcome to the meeting. Everybody is here."
            .to_owned()
            .into(),
    ))
    .await;
    for (index, exchange) in town.exchanges.iter().enumerate() {
        let outcome = exchange.next_outcome().await;
        people.heard(NAMES[index], &outcome, &dir)?;
    }
    town.gateway.close(seconds(3)).await;
    Ok(())
}

/// A caller asks for Ben by name, who is asked whether he takes the call.
async fn transfer(people: &People, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let dir = dir.join("transfer");
    fs::create_dir_all(&dir)?;
    let polite = || Step::WaitForAgent {
        quiet: Duration::from_millis(1_100),
        timeout: seconds(20),
    };
    let ben = [
        polite(),
        people.says("Yes, please.", 8_000)?,
        polite(),
        people.says("Hello, this is Ben. What can I do for you?", 8_000)?,
        Step::Wait(seconds(9)),
        people.says("It was sent yesterday. Goodbye.", 8_000)?,
        Step::Wait(seconds(1)),
        Step::HangUp,
    ];
    let nobody = || PhonePlan::answers(seconds(1), [Step::HangUp]);
    let ben = PhonePlan::answers(Duration::from_millis(700), ben);
    let town = Town::new(&dir, [nobody(), ben, nobody()]).await?;
    println!(
        "a caller over {} is put through to Ben over {}",
        exchange::CARRIERS[0],
        exchange::CARRIERS[1]
    );
    let script = [
        polite(),
        people.says(
            "Hello. Could you put me through to Ben about the order of last week?",
            8_800,
        )?,
        Step::Wait(seconds(25)),
        people.says("Hi Ben. Where is my red bicycle?", 8_800)?,
        Step::Wait(seconds(14)),
        Step::HangUp,
    ];
    let call = town.exchanges[0].call_in(THEIRS[0], OURS[0], script)?;
    let caller = town.exchanges[0].call(&call).await;
    people.heard("the caller", &caller, &dir)?;
    let ben = tokio::time::timeout(seconds(10), town.exchanges[1].next_outcome()).await?;
    people.heard("Ben", &ben, &dir)?;
    for record in town.gateway.board.calls() {
        println!("  what call {} was told:", record.carrier);
        for entry in record.log.after(0) {
            let event = serde_json::to_value(&entry)?;
            if let Some(line) = gateway::cli::told(&event) {
                println!("    {line}");
            }
        }
    }
    town.gateway.close(seconds(3)).await;
    Ok(())
}

/// What lies between silences.
fn parts(samples: &[i16]) -> Vec<&[i16]> {
    let frames: Vec<&[i16]> = samples.chunks(160).collect();
    let loud = |it: &&[i16]| it.iter().any(|it| it.unsigned_abs() > 300);
    let loud: Vec<usize> = (0..frames.len()).filter(|at| loud(&frames[*at])).collect();
    let parts = loud.chunk_by(|one, next| next - one <= 25);
    parts
        .filter(|it| it.len() > 10)
        .map(|it| {
            let (from, to) = (it[0].saturating_sub(10), it[it.len() - 1] + 10);
            &samples[from * 160..samples.len().min(to * 160)]
        })
        .collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const NAMES: [&str; 3] = ["Anna", "Ben", "Cleo"];
const OURS: [&str; 3] = ["+15550001110", "+15550001111", "+15550001112"];
const THEIRS: [&str; 3] = ["+15551234560", "+15551234561", "+15551234562"];
