//! What a tick costs, beside the least it could: decoding and encoding one frame of µ-law.
//!
//! `cargo bench -p media` prints nanoseconds per 20 ms of one call, the best of many short runs: the machine may be
//! busy with other things.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "the benchmark is outside the crate it measures, and has a clock"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use media::{
    Codec, Detector, FRAME, Format, Law, Line, Mixer, Music, Outgoing, Packet, Rate, Session,
    Setup, UtteranceId,
};

fn main() {
    let bare = cost(bare);
    println!(
        "{:<44} {bare:>7.0} ns per tick",
        "bare: decode and encode a frame"
    );
    let report = |name: &str, ns: f64| {
        println!(
            "{name:<44} {ns:>7.0} ns per tick  {:>5.1} x bare",
            ns / bare
        );
    };
    report(
        "silence both ways",
        cost(call(Caller::Silent, Agent::Silent, Detector::Energy)),
    );
    report(
        "the caller speaks",
        cost(call(Caller::Speaks, Agent::Silent, Detector::Energy)),
    );
    report(
        "the agent speaks",
        cost(call(Caller::Silent, Agent::Speaks, Detector::Energy)),
    );
    report(
        "both speak",
        cost(call(Caller::Speaks, Agent::Speaks, Detector::Energy)),
    );
    report(
        "both speak, windows for a model",
        cost(call(Caller::Speaks, Agent::Speaks, Detector::Model)),
    );
    report("a meeting of 8, at 8 kHz", cost(meeting(8, Rate::Hz8000)));
    report("a meeting of 8, at 16 kHz", cost(meeting(8, Rate::Hz16000)));
    report(
        "a meeting of 16, at 16 kHz",
        cost(meeting(16, Rate::Hz16000)),
    );
    report("comfort music, at 16 kHz", cost(music));
}

/// Everybody speaks, everybody hears everybody else.
fn meeting(people: usize, rate: Rate) -> impl Fn() -> Box<dyn FnMut(usize)> {
    move || Box::new(meet(people, rate))
}

fn meet(people: usize, rate: Rate) -> impl FnMut(usize) {
    let mut mixer = Mixer::new(rate);
    let everybody = u16::MAX >> (16 - people);
    for seat in 0..people {
        mixer.hears(seat, everybody);
    }
    let frame = |seat: usize| -> Vec<i16> {
        let samples = 0..rate.samples_per_frame();
        samples
            .map(|at| (9_000.0 * (at as f64 * 0.1 * (seat + 1) as f64).sin()) as i16)
            .collect()
    };
    let frames: Vec<_> = (0..people).map(frame).collect();
    move |_| {
        for (seat, frame) in frames.iter().enumerate() {
            mixer.put(seat, black_box(frame));
        }
        mixer.mix(everybody);
        for seat in 0..people {
            black_box(mixer.heard(seat));
        }
    }
}

fn music() -> impl FnMut(usize) {
    let mut music = Music::new(Rate::Hz16000);
    let mut frame = [0; 320];
    move |_| {
        frame.fill(0);
        music.add_to(black_box(&mut frame));
    }
}

#[derive(Clone, Copy)]
enum Caller {
    Silent,
    Speaks,
}

#[derive(Clone, Copy)]
enum Agent {
    Silent,
    Speaks,
}

/// The best of many runs, in nanoseconds per tick.
fn cost<F: FnMut(usize)>(make: impl Fn() -> F) -> f64 {
    let runs = (0..40).map(|_| {
        let mut tick = make();
        (0..500).for_each(&mut tick);
        let began = Instant::now();
        (500..500 + TICKS).for_each(&mut tick);
        began.elapsed().as_nanos() as f64 / TICKS as f64
    });
    runs.fold(f64::INFINITY, f64::min)
}

fn bare() -> impl FnMut(usize) {
    let packets = packets(Caller::Speaks);
    let (mut samples, mut bytes) = (Vec::new(), Vec::new());
    move |i| {
        samples.clear();
        bytes.clear();
        Law::Mu.decode_into(&packets[i % packets.len()], &mut samples);
        Law::Mu.encode_into(black_box(&samples), &mut bytes);
        black_box(&bytes);
    }
}

fn call(caller: Caller, agent: Agent, detector: Detector) -> impl Fn() -> Box<dyn FnMut(usize)> {
    move || {
        let packets = packets(caller);
        let speech = speech();
        let mut session = Session::new(Setup {
            format: ULAW,
            spoken: ULAW,
            line: Line::Ordered,
            detector,
            lead: Duration::from_millis(100),
            echo: media::Echo::Guarded,
        });
        Box::new(move |i| {
            if let Agent::Speaks = agent
                && i % 25 == 0
            {
                session.play(UtteranceId(1), &speech);
            }
            let payload = &packets[i % packets.len()];
            session.receive(Packet {
                index: i as u64,
                payload,
            });
            let mut sent = 0;
            let tick = session.tick(FRAME * i as u32, |out| {
                if let Outgoing::Audio(bytes) = out {
                    sent += black_box(bytes).len();
                }
            });
            black_box((tick.heard, tick.edge, tick.key, sent));
            if let Some((window, _)) = tick.window {
                black_box(session.judged(window, 0.9));
            }
        })
    }
}

/// Two seconds of µ-law.
fn packets(caller: Caller) -> Vec<Vec<u8>> {
    let speech: Vec<i16> = (0..4).flat_map(|_| speech()).collect();
    let encoded = speech.chunks(160).map(|frame| {
        let mut packet = Vec::new();
        match caller {
            Caller::Silent => packet.resize(160, Law::Mu.silence()),
            Caller::Speaks => Law::Mu.encode_into(frame, &mut packet),
        }
        packet
    });
    encoded.collect()
}

/// Half a second of something like a voice.
fn speech() -> Vec<i16> {
    let wave = |i: usize, hz: f64| (i as f64 * hz * std::f64::consts::TAU / 8_000.0).sin();
    let voice = |i| wave(i, 142.0) + wave(i, 568.0) * 0.7 + wave(i, 1_704.0) * 0.3;
    (0..4_000)
        .map(|i| (voice(i) * wave(i, 2.0).abs() * 6_000.0) as i16)
        .collect()
}

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};
const TICKS: usize = 3_000;
