//! What everyone is told first, and what has to be said before a call is recorded, at the ear and on the
//! disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use call::Event;
use call::event::{Consent, End, Party, Unrecorded, Why};
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use exchange::{EndedBy, Outcome};
use gateway::switchboard::{LoadVoice, Record};
use media::{Rate, Resampler};
use ports::speech::{Hearing, Listen, Speak, Spoken, Synthesizer, Transcriber, Voice};
use ports::{Blame, Fault, Link, code, pair};

use crate::house::{House, OURS, THEIRS, events, exchange_of, soon};
use crate::{listener, ms};

/// A voice that can die. It speaks forty milliseconds for each letter, and never twice the same: a tone that
/// rises from one letter to the next, so that nothing can be taken for anything else.
#[derive(Clone)]
struct Mortal {
    alive: Arc<AtomicBool>,
    hears: &'static str,
}

impl Mortal {
    fn new(hears: &'static str) -> Self {
        let alive = Arc::new(AtomicBool::new(true));
        Self { alive, hears }
    }

    fn die(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    fn load(&self) -> LoadVoice {
        let mortal = Arc::new(self.clone());
        Arc::new(move || {
            Ok(Voice {
                ears: mortal.clone(),
                mouth: mortal.clone(),
                detector: None,
            })
        })
    }
}

#[async_trait::async_trait]
impl Transcriber for Mortal {
    async fn open(&self, _: &str, _: Rate) -> Result<Link<Listen, Hearing>, Fault> {
        let (near, mut far) = pair(64);
        let words = self.hears;
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
impl Synthesizer for Mortal {
    async fn open(&self, rate: Rate) -> Result<Link<Speak, Spoken>, Fault> {
        let (near, mut far) = pair(64);
        let alive = self.alive.clone();
        tokio::spawn(async move {
            while let Some(speak) = far.rx.recv().await {
                let Speak::Text(id, text) = speak else {
                    continue;
                };
                let said = if alive.load(Ordering::Relaxed) {
                    let samples = rising(rate, text.reveal().len());
                    let length = rate.duration_of(samples.len());
                    let _ = far.tx.send(Spoken::Audio(id, samples)).await;
                    Spoken::Done(id, length)
                } else {
                    let dead = Fault::new(Blame::Gateway, code::SPEECH_FAILED, "it is dead");
                    Spoken::Failed(id, dead)
                };
                let _ = far.tx.send(said).await;
            }
        });
        Ok(near)
    }
}

fn rising(rate: Rate, letters: usize) -> Vec<i16> {
    let samples = rate.samples_in(ms(40 * letters as u64));
    let mut phase = 0.0_f64;
    let tone = |at: usize| {
        let hz = 300.0 + 1_500.0 * at as f64 / samples as f64;
        phase += hz * std::f64::consts::TAU / f64::from(rate.hz());
        (9_000.0 * phase.sin()) as i16
    };
    (0..samples).map(tone).collect()
}

/// A house whose callers are strangers, and are answered by an agent with this voice; `more` stands at the end of
/// its configuration.
async fn house(carrier: &str, phone: PhonePlan, mortal: &Mortal, more: &str) -> House {
    let text = |_: &Path, text: String| {
        let text = text.replace(&format!("owner = [\"{THEIRS}\"]"), "owner = []");
        let text = text.replace("agent = \"echo\"", "agent = \"reception\"");
        format!("{text}[agents.reception]\nkind = \"answering-service\"\n{more}\n")
    };
    let (exchange, whole) = (exchange_of(carrier), Mischief::default());
    House::speaking(mortal.load(), exchange, phone, whole, text).await
}

fn loud(samples: u32) -> Vec<i16> {
    let square = |it| if it / 20 % 2 == 0 { 9_000 } else { -9_000 };
    (0..samples).map(square).collect()
}

/// The disclosure that a call's events tell of: when it was heard, and its hash.
fn disclosed(told: &[Event]) -> (usize, String) {
    let mut all = told.iter().enumerate().filter_map(|(at, event)| {
        let Event::DisclosurePlayed { sha256, .. } = event else {
            return None;
        };
        Some((at, sha256.clone()))
    });
    let first = all.next().expect("they were told who speaks");
    assert!(all.next().is_none(), "told twice: {told:?}");
    first
}

fn first_of_the_agent(told: &[Event]) -> Option<usize> {
    let of_agent = |event: &Event| {
        let name = serde_json::to_value(event).expect("it is plain data");
        name["type"]
            .as_str()
            .is_some_and(|it| it.starts_with("agent."))
    };
    told.iter().position(of_agent)
}

/// The only clip there is, as it lies on the disk.
fn clip(house: &House) -> Vec<i16> {
    let folder = house.file("state/clips");
    let mut files = std::fs::read_dir(folder).expect("there is a clip");
    let file = files.next().expect("there is one").expect("it can be read");
    assert!(files.next().is_none(), "there is one");
    let wav = hound::WavReader::open(file.path()).expect("it is a recording");
    assert_eq!(wav.spec().sample_rate, 16_000);
    wav.into_samples().map_while(Result::ok).collect()
}

fn narrow(samples: &[i16]) -> Vec<i16> {
    let (mut resampler, mut out) = (Resampler::new(16_000, 8_000), Vec::new());
    resampler.push(samples, &mut out);
    resampler.flush(&mut out);
    out
}

fn sha256(samples: &[i16]) -> String {
    use sha2::Digest as _;
    let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|it| format!("{it:02x}")).collect()
}

/// How alike two sounds of one length are: 1 where they are the same but for their loudness.
fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    product(one, other) / (product(one, one) * product(other, other)).sqrt().max(1.0)
}

/// Where the first sound of all that was heard begins, and how like the whole clip it is.
fn heard_first(ear: &[i16], clip: &[i16]) -> (usize, f64) {
    let begins = ear.iter().position(|it| it.unsigned_abs() > 300);
    let begins = begins.expect("something was heard");
    let around = begins.saturating_sub(80)..begins + 80;
    let like = around.filter_map(|at| Some((at, likeness(ear.get(at..at + clip.len())?, clip))));
    like.max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("it was long enough")
}

/// Someone calls, and speaks over what they are told.
async fn called(house: &House) -> (Arc<Record>, Arc<Outcome>) {
    let script = [
        Step::Wait(ms(600)),
        Step::Say(loud(9_600)),
        Step::WaitForHangUp { timeout: ms(9_000) },
        Step::HangUp,
    ];
    let call = house.exchange.call_in(THEIRS, OURS, script);
    let outcome = soon(house.exchange.call(&call.expect("the number is ours"))).await;
    let record = house.gateway.board.calls()[0].clone();
    soon(record.log.ended()).await;
    (record, outcome)
}

/// The voice lives just long enough to have said it once, and is dead when the call comes, also for the
/// gateway that is started then.
#[expect(clippy::print_stdout, reason = "figures for whoever wants to see them")]
async fn it_is_heard_by_everyone(carrier: &str) {
    let mortal = Mortal::new("when do you open");
    let house = house(carrier, listener(), &mortal, "").await;
    house.gateway.board.warm_up().await.expect("it speaks");
    mortal.die();
    let clip = clip(&house);
    let house = house.with_another_gateway_speaking(mortal.load()).await;
    let (record, outcome) = called(&house).await;
    let told = events(&record);
    let (at, hash) = disclosed(&told);
    assert_eq!(hash, sha256(&clip));
    let spoke = told.iter().position(|it| *it == Event::CallerSpeechStarted);
    assert!(
        spoke.is_some_and(|it| it < at),
        "they spoke over it: {told:?}"
    );
    assert!(
        first_of_the_agent(&told).is_none_or(|it| at < it),
        "{told:?}"
    );
    let (begins, like) = heard_first(outcome.ear.agent(), &narrow(&clip));
    println!("{carrier}: heard from sample {begins} on, likeness {like:.4}");
    assert!(
        like > 0.98,
        "{carrier}: what was heard is not the clip: {like}"
    );
    // There is nothing to say anything else with.
    let end = End {
        by: Party::Gateway,
        why: Why::Fault,
    };
    assert_eq!(told.last(), Some(&Event::Ended(end)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_is_heard_over_every_wire_with_a_dead_voice_and_spoken_over() {
    for carrier in ["twilio", "telnyx", "plivo"] {
        it_is_heard_by_everyone(carrier).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_nobody_can_tell_who_speaks_is_not_talked_to() {
    let mortal = Mortal::new("");
    mortal.die();
    let house = house("twilio", listener(), &mortal, "").await;
    let fault = house
        .notify(THEIRS, "Hi!")
        .await
        .expect_err("it has no voice");
    assert_eq!(fault.code, code::CALL_NO_DISCLOSURE, "{fault}");
    assert!(fault.hint.is_some());
    let call = house.exchange.call_in(THEIRS, OURS, [Step::HangUp]);
    let outcome = soon(house.exchange.call(&call.expect("the number is ours"))).await;
    assert_eq!(outcome.ended_by, EndedBy::Rejected);
    assert!(house.exchange.requests().is_empty(), "nobody was dialled");
    assert!(house.gateway.board.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_we_call_hears_it_before_the_message_and_how_not_to_be_called_again() {
    let mortal = Mortal::new("");
    let more = "[disclosure]\ntext = \"A machine calls.\"\n";
    let text = |_: &Path, text: String| {
        let text = text.replace(&format!("owner = [\"{THEIRS}\"]"), "opt_out_key = \"9\"");
        format!("{text}{more}")
    };
    let (exchange, whole) = (exchange_of("twilio"), Mischief::default());
    let house = House::speaking(mortal.load(), exchange, listener(), whole, text).await;
    let record = house
        .notify(THEIRS, "Hi!")
        .await
        .expect("they may be called");
    let outcome = house.outcome().await;
    soon(record.log.ended()).await;
    let told = events(&record);
    let (at, _) = disclosed(&told);
    assert!(
        first_of_the_agent(&told).is_some_and(|it| at < it),
        "{told:?}"
    );
    let Event::DisclosurePlayed { text, bytes, .. } = &told[at] else {
        panic!("it is one");
    };
    assert_eq!(
        text.reveal(),
        "A machine calls. To not be called again, press 9."
    );
    assert_eq!(*bytes, 2 * clip(&house).len() as u64);
    let (_, like) = heard_first(outcome.ear.agent(), &narrow(&clip(&house)));
    assert!(like > 0.98, "what was heard is not the clip: {like}");
}

/// What lies in the folder of recordings.
fn recorded(house: &House) -> usize {
    let folder = std::fs::read_dir(house.file("recordings")).expect("it is there");
    folder.count()
}

/// Looks at the disk until the call is over: there is nothing on it before the call says so.
async fn watched(house: &House, record: &Record) -> usize {
    let mut looks = 0;
    while !record.log.is_closed() {
        let files = recorded(house);
        let told = events(record);
        let started = told
            .iter()
            .any(|it| matches!(it, Event::RecordingStarted { .. }));
        assert!(files == 0 || started, "it was recorded before: {told:?}");
        looks += usize::from(!started);
        tokio::time::sleep(ms(5)).await;
    }
    looks
}

/// Calls someone who presses this once they were told, and tells them something; returns what happened, and
/// how much lies on the disk once it is over.
async fn told_and_recorded(more: &str, key: Option<char>) -> (Vec<Event>, House, Arc<Record>) {
    let mortal = Mortal::new("");
    let pressed = key.map(Step::Press);
    let quiet = Step::WaitForAgent {
        quiet: ms(400),
        timeout: ms(9_000),
    };
    let hang_up = Step::WaitForHangUp {
        timeout: ms(15_000),
    };
    let script: Vec<Step> = pressed
        .into_iter()
        .flat_map(|it| [quiet.clone(), it])
        .chain([hang_up])
        .collect();
    let phone = PhonePlan::answers(ms(100), script);
    let more = format!("[recordings]\ndir = \"recordings\"\n{more}\n");
    let house = house("twilio", phone, &mortal, &more).await;
    let record = house.notify(THEIRS, "This is what we call for.").await;
    let record = record.expect("they may be called");
    let looks = watched(&house, &record).await;
    assert!(looks > 20, "looked at the disk {looks} times before");
    house.outcome().await;
    (events(&record), house, record)
}

fn said(told: &[Event]) -> bool {
    let said = |it: &Event| matches!(it, Event::AgentSaid { text } if text.reveal() == "This is what we call for.");
    told.iter().any(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_on_the_disk_before_they_were_told() {
    let (told, house, record) = told_and_recorded("", None).await;
    let (at, _) = disclosed(&told);
    let consent = Consent::Announced;
    assert_eq!(told.get(at + 1), Some(&Event::RecordingStarted { consent }));
    let file = house.file(&format!("recordings/{}.wav", record.id));
    let clip = clip(&house).len() / 16;
    let length = async {
        loop {
            if let Ok(wav) = hound::WavReader::open(&file)
                && wav.duration() > 8 * 1_000
            {
                return wav.duration() as usize / 8;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let length = soon(length).await;
    let all = record.log.after(0).last().expect("it ended").ms as usize;
    assert!(
        length + clip < all,
        "{length} ms of {all}, and the clip has {clip}"
    );
    assert_eq!(recorded(&house), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_or_nothing_leaves_no_sound_on_the_disk_and_the_call_goes_on() {
    for (key, why) in [
        (Some('2'), Unrecorded::Declined),
        (None, Unrecorded::NoAnswer),
    ] {
        let (told, house, record) = told_and_recorded("consent = \"ask\"", key).await;
        assert!(told.contains(&Event::RecordingRefused { why }), "{told:?}");
        assert!(said(&told), "{told:?}");
        assert_eq!(recorded(&house), 0);
        let name = record.id.to_string();
        assert!(!house.file(&format!("recordings/{name}.wav")).exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_starts_the_recording() {
    let (told, house, _) = told_and_recorded("consent = \"ask\"", Some('1')).await;
    let consent = Consent::Given;
    assert!(
        told.contains(&Event::RecordingStarted { consent }),
        "{told:?}"
    );
    assert!(said(&told), "{told:?}");
    assert_eq!(recorded(&house), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_begins_once_they_were_told() {
    let (told, house, _) = told_and_recorded("by = \"carrier\"", None).await;
    let (at, _) = disclosed(&told);
    let consent = Consent::Announced;
    assert_eq!(told.get(at + 1), Some(&Event::RecordingStarted { consent }));
    let requests = house.exchange.requests().into_iter();
    let asked = requests.filter(|it| it.path.ends_with("/Recordings.json"));
    assert_eq!(asked.count(), 1);
}
