//! What hearing, speaking and telling speech from noise cost, in CPU time, beside what the bare
//! runtime needs for the same models. `cargo bench -p speech`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may fail"
)]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::Command;

use media::{Rate, WINDOW};
use ort::environment::Environment;
use ort::ep;
use ort::memory::Allocator;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorRef};
use ports::speech::SpeechDetector;
use speech::local::{Detector, Reader, Scribe, Speaker};
use speech::models::{State, Store};

fn main() {
    let store = Store::of_user();
    if store
        .list()
        .iter()
        .any(|it| !matches!(it.state, State::Present(_)))
    {
        println!("models are missing: run `offhook models fetch`");
        std::process::exit(2);
    }
    if env::args().any(|it| it == BARE) {
        bare(&store);
        return;
    }
    // The runtime can be set up once in a process, so the reference runs in another.
    let reference = Command::new(env::current_exe().unwrap())
        .arg(BARE)
        .output()
        .unwrap();
    let reference = String::from_utf8(reference.stdout).unwrap();
    let bare: BTreeMap<&str, f64> = reference
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name, value.parse().ok()?))
        })
        .collect();
    println!("all times are CPU time; `bare` is the runtime alone on the same models\n");
    hearing(&store, &bare);
    speaking(&store, &bare);
    detecting(&store, &bare);
}

fn hearing(store: &Store, bare: &BTreeMap<&str, f64>) {
    let scribe = Scribe::open(store).unwrap();
    let sound = sentence(store);
    let seconds = sound.len() as f64 / 8_000.0;
    let each = cpu(10, || {
        drop(scribe.transcribe(&sound, Rate::Hz8000).unwrap())
    });
    row("hear: one utterance", each, bare["hear"]);
    println!(
        "  {seconds:.2} s of speech, real-time factor {:.3}",
        each / seconds
    );
    let each = cpu(5, || _ = scribe.end_of_turn(&sound, Rate::Hz8000).unwrap());
    row("judge the end of a turn", each, bare["turn"]);
}

fn speaking(store: &Store, bare: &BTreeMap<&str, f64>) {
    let reader = Reader::open(store, Speaker::Piper).unwrap();
    let mut made = 0;
    let each = cpu(10, || {
        made += reader.speak(CLAUSE, Rate::Hz8000).unwrap().len()
    });
    let seconds = made as f64 / 8_000.0 / 11.0;
    row("speak: one clause", each, bare["speak"]);
    println!(
        "  {seconds:.2} s of speech, real-time factor {:.3}",
        each / seconds
    );
}

fn detecting(store: &Store, bare: &BTreeMap<&str, f64>) {
    for (calls, name) in [(1, "vad_1"), (32, "vad_32")] {
        let each = detector(store, calls);
        row(
            &format!("detect: one window, {calls} calls at once"),
            each,
            bare[name],
        );
        println!(
            "  {:.0} calls on one core",
            1.0 / (each * 8_000.0 / WINDOW as f64)
        );
    }
}

/// CPU time for a window through the detector's queue and thread.
fn detector(store: &Store, calls: usize) -> f64 {
    let detector = Detector::start(store).unwrap();
    let sound = sentence(store);
    let windows: Vec<&[i16; WINDOW]> = sound.as_chunks().0.iter().collect();
    let mut open: Vec<_> = (0..calls)
        .map(|_| {
            let (tx, rx) = tokio::sync::mpsc::channel(4);
            (detector.open(tx), rx)
        })
        .collect();
    let rounds = 4_000 / calls;
    let before = process_cpu();
    for n in 0..rounds {
        for (call, _) in &mut open {
            assert!(call.submit(n as u64, windows[n % windows.len()]));
        }
        for (_, verdicts) in &mut open {
            verdicts.blocking_recv().unwrap();
        }
    }
    (process_cpu() - before) / (rounds * calls) as f64
}

/// The reference: no queues, no threads, no resampling, no words.
fn bare(store: &Store) {
    let environment = ort::init_from(store.path("onnxruntime/libonnxruntime.so"))
        .unwrap()
        .build()
        .unwrap();
    let open = |kept: &str| open(&environment, store, kept);
    let mut vad = open("silero/silero_vad.onnx");
    for n in [1, 32] {
        let each = cpu(4_000 / n, || detect(&mut vad, n)) / n as f64;
        println!("vad_{n} {each}");
    }
    let mut turn = open("smart-turn/smart-turn-v3.2.onnx");
    let features = vec![0.1_f32; 80 * 800];
    let each = cpu(5, || {
        let input = TensorRef::from_array_view(([1_usize, 80, 800], &features[..])).unwrap();
        drop(turn.run(ort::inputs!["input_features" => input]).unwrap());
    });
    println!("turn {each}");
    let mut voice = open("piper/en_US-joe-medium.onnx");
    println!("speak {}", cpu(10, || speak(&mut voice)));
    let mut ears =
        ["encoder", "cross_kv", "decoder_step"].map(|it| open(&format!("moonshine/{it}.onnx")));
    let sound = vec![0.01_f32; sentence(store).len() * 2];
    println!("hear {}", cpu(10, || hear(&mut ears, &sound)));
}

fn open(environment: &Environment, store: &Store, kept: &str) -> Session {
    let cpu = ep::CPU::default().with_arena_allocator(false).build();
    let builder = Session::builder(environment)
        .unwrap()
        .with_intra_threads(1)
        .unwrap();
    let builder = builder
        .with_inter_threads(1)
        .unwrap()
        .with_execution_providers([cpu])
        .unwrap();
    { builder }.commit_from_file(store.path(kept)).unwrap()
}

fn detect(vad: &mut Session, n: usize) {
    let (input, state) = (vec![0.01_f32; n * 288], vec![0.0_f32; n * 256]);
    let inputs = ort::inputs![
        "input" => TensorRef::from_array_view(([n, 288], &input[..])).unwrap(),
        "state" => TensorRef::from_array_view(([2, n, 128], &state[..])).unwrap(),
        "sr" => TensorRef::from_array_view(([0_usize; 0], &[8_000_i64][..])).unwrap(),
    ];
    drop(vad.run(inputs).unwrap());
}

/// As many sounds as espeak-ng makes of the clause.
fn speak(voice: &mut Session) {
    let ids: Vec<i64> = (0..SOUNDS * 2 + 3)
        .map(|n| if n % 2 == 0 { 20 + n % 30 } else { 0 })
        .collect();
    let length = [ids.len() as i64];
    let inputs = ort::inputs![
        "input" => TensorRef::from_array_view(([1, ids.len()], &ids[..])).unwrap(),
        "input_lengths" => TensorRef::from_array_view(([1_usize], &length[..])).unwrap(),
        "scales" => TensorRef::from_array_view(([3_usize], &[0.667_f32, 1.0, 0.8][..])).unwrap(),
    ];
    drop(voice.run(inputs).unwrap());
}

/// The encoder, and as many tokens as the sentence has.
fn hear([encoder, cross, decoder]: &mut [Session; 3], sound: &[f32]) {
    let input = TensorRef::from_array_view(([1, sound.len()], sound)).unwrap();
    let hidden = encoder
        .run(ort::inputs!["input_values" => input])
        .unwrap()
        .remove("last_hidden_state")
        .unwrap();
    let mut made = cross
        .run(ort::inputs!["encoder_hidden_states" => &hidden])
        .unwrap();
    let names = |kind: &str| -> Vec<String> {
        (0..8)
            .flat_map(|n| ["key", "value"].map(|half| format!("{n}.{kind}.{half}")))
            .collect()
    };
    let (own_names, heard_names) = (names("decoder"), names("encoder"));
    let mut take = |name: &String| made.remove(format!("present.{name}")).unwrap();
    let heard: Vec<DynValue> = heard_names.iter().map(&mut take).collect();
    let empty = || {
        Tensor::<f32>::new(&Allocator::default(), [1_usize, 8, 0, 52])
            .unwrap()
            .into_dyn()
    };
    let mut own: Vec<DynValue> = own_names.iter().map(|_| empty()).collect();
    for token in 0..TOKENS {
        let token = [token + 5];
        let id = TensorRef::from_array_view(([1_usize, 1], &token[..])).unwrap();
        let mut inputs: Vec<(String, SessionInputValue<'_>)> =
            vec![("input_ids".to_owned(), id.into())];
        for (names, values) in [(&own_names, &own), (&heard_names, &heard)] {
            let named = names.iter().zip(values);
            inputs.extend(
                named.map(|(name, value)| (format!("past_key_values.{name}"), value.into())),
            );
        }
        let mut out = decoder.run(inputs).unwrap();
        own = own_names
            .iter()
            .map(|name| out.remove(format!("present.{name}")).unwrap())
            .collect();
    }
}

/// A sentence of the plain voice: the same sound on every machine.
fn sentence(store: &Store) -> Vec<i16> {
    Reader::open(store, Speaker::Flite)
        .unwrap()
        .speak(SENTENCE, Rate::Hz8000)
        .unwrap()
}

fn row(what: &str, ours: f64, bare: f64) {
    println!(
        "{what}: {:.3} ms, bare {:.3} ms, ratio {:.2}",
        ours * 1e3,
        bare * 1e3,
        ours / bare
    );
}

/// CPU seconds of one round on this thread, after one to warm up.
fn cpu(rounds: usize, mut work: impl FnMut()) -> f64 {
    work();
    let before = process_cpu();
    for _ in 0..rounds {
        work();
    }
    (process_cpu() - before) / rounds as f64
}

/// CPU seconds of all threads there are now.
fn process_cpu() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let spent = tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}

const BARE: &str = "bare-reference";
const SENTENCE: &str =
    "Your call is now first in line, and will be answered by the next available representative.";
/// Its tokens, about.
const TOKENS: i64 = 20;
const CLAUSE: &str = "Hello there, how can I help you?";
/// Its sounds, in espeak-ng's IPA.
const SOUNDS: i64 = 32;
