//! One call's ears and mouth, by the contract of their links.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use media::{Edge, Frame, Rate, UtteranceId};
use ports::speech::{Hearing, Listen, Speak, Spoken, Voice};
use ports::{Link, Settings, code};
use speech::local::build;
use speech::words;
use tokio::time::timeout;

use crate::kit::{models, over_the_line, prompt, scribe};

fn voice() -> &'static Voice {
    static VOICE: OnceLock<Voice> = OnceLock::new();
    VOICE.get_or_init(|| build(&models(), &Settings::default()).expect("all models are there"))
}

async fn ears() -> Link<Listen, Hearing> {
    voice()
        .ears
        .open("en", Rate::Hz8000)
        .await
        .expect("English is understood")
}

async fn mouth() -> Link<Speak, Spoken> {
    voice()
        .mouth
        .open(Rate::Hz8000)
        .await
        .expect("there is a voice")
}

/// Says something to the ears, with the edges a detector would send.
async fn say(ears: &mut Link<Listen, Hearing>, sound: &[i16]) {
    tell(
        ears,
        Listen::Edge(Edge::SpeechStarted {
            ago: Duration::from_millis(60),
        }),
    )
    .await;
    hear(ears, sound).await;
    hear(ears, &[0; 1_600]).await;
    tell(
        ears,
        Listen::Edge(Edge::SpeechEnded {
            ago: Duration::from_millis(200),
        }),
    )
    .await;
}

async fn hear(ears: &mut Link<Listen, Hearing>, sound: &[i16]) {
    for samples in sound.chunks(160) {
        tell(
            ears,
            Listen::Frame(Frame::from_samples(Rate::Hz8000, samples)),
        )
        .await;
    }
}

async fn tell(ears: &mut Link<Listen, Hearing>, listen: Listen) {
    ears.tx.send(listen).await.expect("the ears listen");
}

/// What the ears report until they have sent `finals` finals.
async fn until_finals(ears: &mut Link<Listen, Hearing>, finals: usize) -> Vec<Hearing> {
    let mut all = Vec::new();
    while all
        .iter()
        .filter(|it| matches!(it, Hearing::Final(_)))
        .count()
        < finals
    {
        all.push(next(&mut ears.rx).await);
    }
    all
}

async fn next<T>(rx: &mut tokio::sync::mpsc::Receiver<T>) -> T {
    let got = timeout(Duration::from_secs(120), rx.recv()).await;
    got.expect("an answer comes").expect("the link stays up")
}

fn finals(all: &[Hearing]) -> Vec<String> {
    let texts = all.iter().filter_map(|it| match it {
        Hearing::Final(text) => Some(text.reveal().clone()),
        Hearing::EndOfTurn(_) | Hearing::Partial(_) => None,
        Hearing::Failed(fault) => panic!("the ears failed: {fault}"),
    });
    texts.collect()
}

/// Nothing more comes: a finalize with nothing to say is answered next.
async fn nothing_else(ears: &mut Link<Listen, Hearing>) {
    tell(ears, Listen::Finalize).await;
    let rest = until_finals(ears, 1).await;
    assert_eq!(finals(&rest), [""]);
    assert_eq!(rest.len(), 1, "{rest:?}");
}

#[tokio::test]
async fn a_turn_is_judged_and_answered_with_one_final() {
    let mut ears = ears().await;
    let said = "Nobody is available to take your call at the moment";
    hear(&mut ears, &[0; 8_000]).await;
    say(&mut ears, &over_the_line(&prompt("vm-nobodyavail"))).await;
    let judged = loop {
        if let Hearing::EndOfTurn(probability) = next(&mut ears.rx).await {
            break probability;
        }
    };
    assert!((0.0..=1.0).contains(&judged));
    tell(&mut ears, Listen::Finalize).await;
    let all = until_finals(&mut ears, 1).await;
    assert!(
        words::error_rate(said, &finals(&all)[0]) <= 0.2,
        "{:?}",
        finals(&all)
    );
    nothing_else(&mut ears).await;
}

#[tokio::test]
async fn words_are_begun_before_they_are_asked_for() {
    let mut ears = ears().await;
    let sound = over_the_line(&prompt("queue-youarenext"));
    let begun = Instant::now();
    scribe()
        .transcribe(&sound, Rate::Hz8000)
        .expect("the models work");
    let alone = begun.elapsed();
    say(&mut ears, &sound).await;
    // The judge of turns is asked first, so its answer says that the speech has ended; the
    // transcription needs about as long again.
    while !matches!(next(&mut ears.rx).await, Hearing::EndOfTurn(_)) {}
    let patience = alone * 3 + Duration::from_millis(500);
    let _ = timeout(patience, std::future::pending::<()>()).await;
    let asked = Instant::now();
    tell(&mut ears, Listen::Finalize).await;
    until_finals(&mut ears, 1).await;
    println!(
        "answered {:?} after it was asked; the work alone takes {alone:?}",
        asked.elapsed()
    );
    assert!(asked.elapsed() < alone / 2 + Duration::from_millis(50));
}

#[tokio::test]
async fn speech_that_goes_on_is_one_stretch() {
    let mut ears = ears().await;
    say(&mut ears, &over_the_line(&prompt("vm-nobodyavail"))).await;
    hear(&mut ears, &[0; 3_200]).await;
    say(&mut ears, &over_the_line(&prompt("vm-sorry"))).await;
    tell(&mut ears, Listen::Finalize).await;
    let all = until_finals(&mut ears, 1).await;
    let said = "Nobody is available to take your call at the moment. I'm sorry I did not understand your response.";
    assert!(
        words::error_rate(said, &finals(&all)[0]) <= 0.2,
        "{:?}",
        finals(&all)
    );
    nothing_else(&mut ears).await;
}

#[tokio::test]
async fn a_final_holds_only_what_came_after_the_last() {
    let mut ears = ears().await;
    for (name, said) in [
        ("vm-sorry", "I'm sorry I did not understand your response."),
        (
            "vm-tocallback",
            "press 2 to call the person who sent this message",
        ),
    ] {
        say(&mut ears, &over_the_line(&prompt(name))).await;
        tell(&mut ears, Listen::Finalize).await;
        let all = until_finals(&mut ears, 1).await;
        assert!(
            words::error_rate(said, &finals(&all)[0]) <= 0.2,
            "{:?}",
            finals(&all)
        );
    }
}

#[tokio::test]
async fn without_speech_finals_are_empty_and_as_many_as_were_asked_for() {
    let mut ears = ears().await;
    hear(&mut ears, &[0; 16_000]).await;
    for _ in 0..3 {
        tell(&mut ears, Listen::Finalize).await;
    }
    let all = until_finals(&mut ears, 3).await;
    assert_eq!(finals(&all), ["", "", ""]);
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn a_caller_who_never_pauses_is_heard_in_parts_and_nothing_twice() {
    let mut ears = ears().await;
    let names = [
        "vm-instructions",
        "queue-youarenext",
        "dir-instr",
        "vm-review",
        "ss-noservice",
    ];
    let sounds: Vec<Vec<i16>> = names
        .iter()
        .map(|name| over_the_line(&prompt(name)))
        .collect();
    tell(
        &mut ears,
        Listen::Edge(Edge::SpeechStarted {
            ago: Duration::ZERO,
        }),
    )
    .await;
    for sound in &sounds {
        hear(&mut ears, sound).await;
    }
    tell(&mut ears, Listen::Finalize).await;
    let all = until_finals(&mut ears, 2).await;
    let texts = finals(&all);
    let said = "To look into your messages press 1 now. You may quit voicemail at any time by pressing the pound \
        key. Your call is now first in line and will be answered by the next available representative. If this is \
        the person you are looking for press 1 now, otherwise please press star now. press 1 to accept this \
        recording press 2 to listen to it press 3 to rerecord your message. The number you have dialed is not in \
        service. Please check the number and try again.";
    let rate = words::error_rate(said, &texts.join(" "));
    println!("{rate:.2} {texts:?}");
    assert_eq!(texts.len(), 2);
    assert!(rate <= 0.15, "{texts:?}");
}

#[tokio::test]
async fn a_pause_ends_a_long_stretch_and_its_words_are_not_made_twice() {
    let mut ears = ears().await;
    let mut long = over_the_line(&prompt("vm-instructions"));
    long.extend(over_the_line(&prompt("queue-youarenext")));
    say(&mut ears, &long).await;
    hear(&mut ears, &[0; 3_200]).await;
    say(&mut ears, &over_the_line(&prompt("vm-sorry"))).await;
    tell(&mut ears, Listen::Finalize).await;
    let texts = finals(&until_finals(&mut ears, 2).await);
    let first = "To look into your messages press 1 now. You may quit voicemail at any time by pressing \
        the pound key. Your call is now first in line and will be answered by the next available \
        representative.";
    let second = "I'm sorry I did not understand your response.";
    assert!(words::error_rate(first, &texts[0]) <= 0.2, "{texts:?}");
    assert!(words::error_rate(second, &texts[1]) <= 0.2, "{texts:?}");
    nothing_else(&mut ears).await;
}

#[tokio::test]
async fn partials_grow_while_the_caller_speaks() {
    let mut ears = ears().await;
    let sound = over_the_line(&prompt("queue-youarenext"));
    tell(
        &mut ears,
        Listen::Edge(Edge::SpeechStarted {
            ago: Duration::ZERO,
        }),
    )
    .await;
    let mut partials = Vec::new();
    // As fast as partials come, so that the test needs no clock.
    for piece in sound.chunks(8_000) {
        hear(&mut ears, piece).await;
        if let Ok(Some(Hearing::Partial(text))) =
            timeout(Duration::from_secs(5), ears.rx.recv()).await
        {
            partials.push(text.reveal().clone());
        }
    }
    println!("{partials:?}");
    assert!(partials.len() >= 2, "{partials:?}");
    assert!(
        partials
            .last()
            .is_some_and(|it| it.to_lowercase().contains("call"))
    );
}

#[tokio::test]
async fn other_languages_are_refused_with_a_hint() {
    let fault = voice()
        .ears
        .open("de", Rate::Hz8000)
        .await
        .expect_err("only English is understood");
    assert_eq!(fault.code, code::CONFIG_INVALID);
    assert!(fault.hint.is_some());
}

/// All sound of one utterance, and how long it was said to be.
async fn utterance(mouth: &mut Link<Speak, Spoken>, wanted: UtteranceId) -> (Vec<i16>, Duration) {
    let mut samples = Vec::new();
    loop {
        match next(&mut mouth.rx).await {
            Spoken::Audio(utterance, piece) => {
                assert_eq!(utterance, wanted);
                assert!(piece.len() <= 1_600, "a piece of {} samples", piece.len());
                samples.extend(piece);
            }
            Spoken::Done(utterance, length) => {
                assert_eq!(utterance, wanted);
                return (samples, length);
            }
            Spoken::Failed(utterance, fault) => panic!("{utterance:?} failed: {fault}"),
        }
    }
}

#[tokio::test]
async fn clauses_come_in_order_and_are_as_long_as_they_say() {
    let mut mouth = mouth().await;
    let clauses = [
        "We open at nine,",
        "and close at five,",
        "every day but Sunday.",
    ];
    for (n, text) in (1..).zip(clauses) {
        mouth
            .tx
            .send(Speak::Text(UtteranceId(n), text.into()))
            .await
            .expect("the mouth listens");
    }
    let mut all = Vec::new();
    for n in 1..=3 {
        let (samples, length) = utterance(&mut mouth, UtteranceId(n)).await;
        assert_eq!(length, Rate::Hz8000.duration_of(samples.len()));
        all.extend(samples);
    }
    let heard = scribe()
        .transcribe(&all, Rate::Hz8000)
        .expect("the models work");
    assert!(
        words::error_rate(&clauses.join(" "), &heard) <= 0.2,
        "{heard}"
    );
}

#[tokio::test]
async fn what_is_cancelled_is_not_said_and_what_follows_is() {
    let mut mouth = mouth().await;
    let long =
        "This is a rather long sentence that nobody wants to hear to its end, since they know it.";
    for n in 1..=4 {
        mouth
            .tx
            .send(Speak::Text(UtteranceId(n), long.into()))
            .await
            .expect("the mouth listens");
    }
    assert!(matches!(
        next(&mut mouth.rx).await,
        Spoken::Audio(UtteranceId(1), _)
    ));
    mouth
        .tx
        .send(Speak::Cancel(UtteranceId(3)))
        .await
        .expect("the mouth listens");
    mouth
        .tx
        .send(Speak::Text(UtteranceId(5), "Yes?".into()))
        .await
        .expect("the mouth listens");
    // What was sent before the cancel was read may still arrive; then nothing up to the third.
    let mut seen = Vec::new();
    let mut done = Vec::new();
    while !done.contains(&5) {
        match next(&mut mouth.rx).await {
            Spoken::Audio(UtteranceId(n), _) => seen.push(n),
            Spoken::Done(UtteranceId(n), _) => done.push(n),
            Spoken::Failed(utterance, fault) => panic!("{utterance:?} failed: {fault}"),
        }
    }
    assert!(!seen.contains(&3), "{seen:?}");
    assert!(!done.contains(&2) && !done.contains(&3), "{done:?}");
    assert_eq!(
        done.iter().filter(|it| **it >= 4).collect::<Vec<_>>(),
        [&4, &5]
    );
}

#[tokio::test]
async fn what_was_prepared_is_there_at_once() {
    let mut mouth = mouth().await;
    let text = "One moment please, I am looking for the papers you asked me about yesterday.";
    mouth
        .tx
        .send(Speak::Prepare(text.into()))
        .await
        .expect("the mouth listens");
    // Commands are taken in order, and both are made on the same threads: once another phrase has
    // been made twice over, this one has as well.
    mouth
        .tx
        .send(Speak::Text(UtteranceId(1), "Something else.".into()))
        .await
        .expect("the mouth listens");
    utterance(&mut mouth, UtteranceId(1)).await;
    let mut times = Vec::new();
    for n in 2..=3 {
        let asked = Instant::now();
        mouth
            .tx
            .send(Speak::Text(UtteranceId(n), text.into()))
            .await
            .expect("the mouth listens");
        let (samples, _) = utterance(&mut mouth, UtteranceId(n)).await;
        times.push((asked.elapsed(), samples));
    }
    println!("{:?}, then {:?}", times[0].0, times[1].0);
    // The same sound, though the voice never says the same words the same way twice.
    assert_eq!(times[0].1, times[1].1);
    assert!(times[1].0 < Duration::from_millis(100));
}

#[tokio::test]
async fn a_mouth_that_is_asked_too_much_says_so() {
    let mut mouth = mouth().await;
    let mut asked = 0;
    for n in 0..200 {
        let text = format!("This is sentence number {n} of far too many.");
        let sent = timeout(
            Duration::from_secs(5),
            mouth.tx.send(Speak::Text(UtteranceId(n), text.into())),
        )
        .await;
        if sent.is_err() {
            break;
        }
        asked += 1;
    }
    assert_eq!(asked, 200, "the mouth always listens");
    loop {
        match next(&mut mouth.rx).await {
            Spoken::Audio(..) | Spoken::Done(..) => {}
            Spoken::Failed(_, fault) => {
                assert_eq!(fault.code, code::SPEECH_OVERLOADED);
                break;
            }
        }
    }
}

#[tokio::test]
async fn nothing_to_say_is_done_at_once() {
    let mut mouth = mouth().await;
    mouth
        .tx
        .send(Speak::Text(UtteranceId(1), " … ".into()))
        .await
        .expect("the mouth listens");
    let (samples, length) = utterance(&mut mouth, UtteranceId(1)).await;
    assert!(samples.is_empty());
    assert_eq!(length, Duration::ZERO);
}

#[test]
fn a_missing_model_says_what_to_run() {
    let empty = tempfile::tempdir().expect("there is room");
    let store = speech::models::Store::open(empty.path());
    let fault = build(&store, &Settings::default())
        .err()
        .expect("there is nothing there");
    assert_eq!(fault.code, code::SPEECH_MODEL_MISSING);
    assert!(
        fault
            .hint
            .is_some_and(|it| it.contains("offhook models fetch"))
    );
}
