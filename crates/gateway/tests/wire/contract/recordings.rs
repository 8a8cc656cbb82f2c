//! Calls that are recorded, by us and by their carrier.

use std::path::{Path, PathBuf};

use exchange::mischief::{Callbacks, Mischief};
use exchange::phone::Step;

use super::{notify, tone};
use crate::house::{House, OURS, THEIRS, soon};
use crate::{listener, ms};

pub(super) async fn a_recording(carrier: &str) {
    let more = "\n[recordings]\ndir = \"recordings\"\n";
    let house = House::of(carrier, listener(), Mischief::default(), |_, text| {
        text + more
    })
    .await;
    let record = notify(&house, "This is recorded.").await;
    house.outcome().await;
    soon(record.log.ended()).await;
    let file = house.file(&format!("recordings/{}.wav", record.id));
    let written = async {
        loop {
            if let Ok(wav) = hound::WavReader::open(&file)
                && wav.duration() > 8 * 850
            {
                return wav.spec().channels;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    assert_eq!(soon(written).await, 2, "each party on a side");
}

/// Carriers may tell of anything more than once, also of a recording.
fn everything_twice() -> Mischief {
    Mischief {
        callbacks: Callbacks {
            duplicates: 1,
            ..Callbacks::default()
        },
        ..Mischief::default()
    }
}

/// From the first sound to the last, and fetched once.
pub(super) async fn a_recording_by_the_carrier(carrier: &str) {
    let more =
        |_: &Path, text: String| text + "\n[recordings]\ndir = \"recordings\"\nby = \"carrier\"\n";
    let house = House::of(carrier, listener(), everything_twice(), more).await;
    let script = [
        Step::Wait(ms(800)),
        Step::Say(tone()),
        Step::Wait(ms(1_500)),
        Step::HangUp,
    ];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let caller = soon(house.exchange.call(&call)).await;
    let record = house.gateway.board.calls()[0].clone();
    assert!(caller.warnings.is_empty(), "{:?}", caller.warnings);
    let file = house.file(&format!("recordings/{}.wav", record.id));
    let (person, heard) = soon(sides(&file)).await;
    let ear = &caller.ear;
    let since = ear.agent().len() - heard.len();
    assert!(since < 8 * 1_500, "it began {since} samples late");
    assert!(person == ear.caller()[since..], "the person, as they spoke");
    assert!(heard == ear.agent()[since..], "what they heard");
    let loud = heard.iter().filter(|it| it.unsigned_abs() > 1_000).count();
    assert!(loud > 8 * 500, "the echo is on it: {loud}");
    let folder = std::fs::read_dir(house.file("recordings")).expect("it is there");
    assert_eq!(folder.count(), 1, "only what is whole is there");
}

/// Whoever is told of it is perhaps not the gateway that had the call.
#[tokio::test]
async fn a_recording_of_a_call_that_another_gateway_had() {
    let more = "\n[recordings]\ndir = \"recordings\"\nby = \"carrier\"\n";
    let house = House::of("twilio", listener(), Mischief::default(), |_, text| {
        text + more
    })
    .await;
    let record = notify(&house, "This is recorded.").await;
    house.outcome().await;
    let file = house.file(&format!("recordings/{}.wav", record.id));
    soon(sides(&file)).await;
    let other = house.file("recordings/00000000000000000000000000000001.wav");
    std::fs::remove_file(&file).expect("it is there");
    drop(record);
    // As if the one before had not been told of it: what was answered is not done again.
    for name in ["webhooks.db", "webhooks.db-wal", "webhooks.db-shm"] {
        let _ = std::fs::remove_file(house.file(&format!("state/{name}")));
    }
    let house = house.with_another_gateway().await;
    let deliveries = house.exchange.deliveries();
    let told = deliveries.iter().find(|it| it.event == "recording");
    let told = told.expect("it was told of");
    let post = async |url: &str, signature: &str| {
        let answer = reqwest::Client::new()
            .post(url)
            .header("X-Twilio-Signature", signature)
            .form(&told.params);
        answer.send().await.expect("it answers").status().as_u16()
    };
    // Nobody but the carrier can tell of one, and nobody can have it put down for another call.
    assert_eq!(post(&told.url, "Zm9yZ2Vk").await, 403);
    let (before, _) = told.url.split_once("call=").expect("it names the call");
    let elsewhere = format!("{before}call=00000000000000000000000000000001");
    assert_eq!(post(&elsewhere, &told.signature).await, 403);
    assert!(!file.exists() && !other.exists());
    assert_eq!(post(&told.url, &told.signature).await, 200);
    soon(sides(&file)).await;
}

/// A stereo recording, once it is there.
async fn sides(file: &Path) -> (Vec<i16>, Vec<i16>) {
    let file = PathBuf::from(file);
    loop {
        if let Ok(wav) = hound::WavReader::open(&file) {
            assert_eq!(wav.spec().channels, 2);
            let all: Vec<i16> = wav.into_samples().map_while(Result::ok).collect();
            let side = |at| all.iter().copied().skip(at).step_by(2).collect();
            return (side(0), side(1));
        }
        tokio::time::sleep(ms(20)).await;
    }
}
