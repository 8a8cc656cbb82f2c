//! Sound as it comes off the wire, and out of files.

use std::f64::consts::TAU;
use std::io::Cursor;
use std::sync::LazyLock;
use std::time::Duration;

use media::{
    Codec, Decoder, Detector, Echo, Encoder, Endian, FRAME, Format, Line, Packet, Rate, Session,
    Setup,
};

/// A byte is a sample, and a sample written again sounds the same.
pub(crate) fn g711(bytes: &[u8]) {
    for codec in [Codec::Ulaw, Codec::Alaw] {
        let format = narrow(codec);
        let samples = decoded(format, [bytes]);
        assert_eq!(samples.len(), bytes.len());
        for (byte, sample) in bytes.chunks(160).zip(samples.chunks(160)) {
            let mut again = Vec::new();
            Encoder::new(format, format.rate).encode_into(sample, &mut again);
            assert_eq!(again.len(), byte.len());
            assert_eq!(decoded(format, [&again[..]]), sample);
        }
    }
}

/// What was read and written is the same, but for half a sample at the end.
pub(crate) fn l16(bytes: &[u8]) {
    for endian in [Endian::Big, Endian::Little] {
        let format = narrow(Codec::L16(endian));
        let samples = decoded(format, [bytes]);
        let mut again = Vec::new();
        Encoder::new(format, format.rate).encode_into(&samples, &mut again);
        assert_eq!(again, bytes[..bytes.len() / 2 * 2]);
    }
    resampled(bytes);
}

/// Between rates nothing grows by more than they do.
fn resampled(bytes: &[u8]) {
    let format = Format {
        codec: Codec::L16(Endian::Little),
        rate: Rate::Hz16000,
    };
    for rate in [Rate::Hz8000, Rate::Hz24000, Rate::Hz48000] {
        let mut samples = Vec::new();
        Decoder::new(format, rate).decode_into(bytes, &mut samples);
        let most = bytes.len() * rate.hz() as usize / 16_000 + rate.samples_per_frame();
        assert!(
            samples.len() <= most,
            "{} of {}",
            samples.len(),
            bytes.len()
        );
    }
}

/// A byte is two samples, however they are cut into packets.
pub(crate) fn g722(bytes: &[u8]) {
    let format = Format {
        codec: Codec::G722,
        rate: Rate::Hz16000,
    };
    let whole = decoded(format, [bytes]);
    assert_eq!(whole.len(), 2 * bytes.len());
    let (front, back) = bytes.split_at(bytes.len() / 3);
    assert_eq!(decoded(format, [front, back]), whole);
    let mut again = Vec::new();
    for frame in whole.chunks_exact(format.rate.samples_per_frame()) {
        Encoder::new(format, format.rate).encode_into(frame, &mut again);
    }
    assert_eq!(again.len(), whole.len() / 320 * 160);
}

/// Packets, each behind a byte with its length. None is longer than 120 ms, and after all of them a good
/// one is heard.
pub(crate) fn opus(bytes: &[u8]) {
    let (rate, mut rest) = match bytes.split_first() {
        Some((it, rest)) => (rate(*it), rest),
        None => return,
    };
    let format = Format {
        codec: Codec::Opus,
        rate,
    };
    let mut decoder = Decoder::new(format, rate);
    while let Some((length, after)) = rest.split_first() {
        let (packet, after) = after.split_at(after.len().min(usize::from(*length)));
        let mut samples = Vec::new();
        decoder.decode_into(packet, &mut samples);
        assert!(samples.len() <= 6 * rate.samples_per_frame());
        rest = after;
    }
    let mut samples = Vec::new();
    decoder.decode_into(&GOOD, &mut samples);
    assert_eq!(samples.len(), rate.samples_per_frame(), "it is deaf");
}

/// One frame.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let format = Format {
        codec: Codec::Opus,
        rate: Rate::Hz16000,
    };
    let mut bytes = Vec::new();
    let frame = tone(&[440.0], format.rate, format.rate.samples_per_frame());
    Encoder::new(format, format.rate).encode_into(&frame, &mut bytes);
    bytes
});

/// What kind of line, and then packets and ticks. Each tick is one frame, and what waits is bounded.
pub(crate) fn line(bytes: &[u8]) {
    let Some(([codec, kind, depth], mut rest)) = bytes.split_first_chunk() else {
        return;
    };
    let codec = match codec % 5 {
        0 => Codec::Ulaw,
        1 => Codec::Alaw,
        2 => Codec::L16(Endian::Big),
        3 => Codec::G722,
        _ => Codec::Opus,
    };
    let depth = usize::from(depth % 17);
    let line = match kind % 3 {
        0 => Line::Ordered,
        1 => Line::Shuffled { depth },
        _ => Line::Jittery { depth },
    };
    let rate = match codec {
        Codec::G722 => Rate::Hz16000,
        Codec::Ulaw | Codec::Alaw | Codec::L16(_) | Codec::Opus => rate(*kind / 3),
    };
    let mut session = session(Format { codec, rate }, line);
    let (mut now, mut index) = (Duration::ZERO, 0_u64);
    while let Some((what, after)) = rest.split_first() {
        rest = after;
        if *what >= 0x80 {
            tick(&mut session, &mut now);
            continue;
        }
        // Now and then the far end counts from somewhere else.
        if *what == 0x7f
            && let Some((at, after)) = rest.split_first_chunk()
        {
            index = u64::from_le_bytes(*at);
            rest = after;
        }
        let Some((step, after)) = rest.split_first() else {
            break;
        };
        index = index.wrapping_add_signed(i64::from(step.cast_signed()));
        let (payload, after) = after.split_at(after.len().min(usize::from(*what)));
        session.receive(Packet { index, payload });
        rest = after;
    }
    let counts = session.counts();
    for _ in 0..SECOND {
        tick(&mut session, &mut now);
    }
    assert!(!session.ready(), "more than a second was waiting");
    let later = session.counts();
    assert!(later.lost >= counts.lost && later.late >= counts.late);
}

fn tick(session: &mut Session, now: &mut Duration) -> Option<char> {
    let samples = session.setup().rate().samples_per_frame();
    let tick = session.tick(*now, |_| {});
    assert_eq!((tick.heard.len(), tick.playing.len()), (samples, samples));
    *now += FRAME;
    tick.key
}

/// Any sound, in µ-law: no more keys are heard than a hand could press, and a key that is pressed after
/// it is.
pub(crate) fn keys(bytes: &[u8]) {
    let format = narrow(Codec::Ulaw);
    let mut session = session(format, Line::Ordered);
    let (mut now, mut index) = (Duration::ZERO, 0);
    let mut hear = |payload: &[u8]| {
        session.receive(Packet { index, payload });
        index += 1;
        tick(&mut session, &mut now)
    };
    let frames = bytes.chunks_exact(160);
    let most = frames.len().div_ceil(2);
    let heard: Vec<char> = frames.filter_map(&mut hear).collect();
    assert!(heard.len() <= most, "{heard:?} in {} bytes", bytes.len());
    assert!(heard.iter().all(|it| "0123456789*#ABCD".contains(*it)));

    let quiet = [0xff; 160];
    let left = (0..10).filter_map(|_| hear(&quiet)).count();
    assert!(left <= 1, "keys were heard in silence");
    let mut five = Vec::new();
    let pressed = tone(&[770.0, 1_336.0], format.rate, 800);
    Encoder::new(format, format.rate).encode_into(&pressed, &mut five);
    let pressed = five.chunks_exact(160).chain([&quiet[..]; 5]);
    let heard: Vec<char> = pressed.filter_map(&mut hear).collect();
    assert_eq!(heard, ['5'], "it is deaf to keys");
}

/// Two files, the first as long as the first two bytes say: voices for the exchange's phones, and the
/// parts of a recording, which are put together as one that can be read.
pub(crate) fn wav(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let at = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (one, two) = rest.split_at(at);
    for file in [one, two] {
        if let Ok(samples) = exchange::wav::read_from(file) {
            assert!(samples.len() <= 4 * file.len(), "sound from nowhere");
        }
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (after, part) in [(0, one), (3, two)] {
        let path = folder.path().join(gateway::recorder::name("c", after));
        std::fs::write(path, part).expect("the folder is ours");
    }
    if let Some(whole) = gateway::recorder::whole(folder.path(), "c") {
        let reader = hound::WavReader::new(Cursor::new(whole)).expect("it is a WAV");
        let read = reader.into_samples::<i16>().filter(Result::is_ok).count();
        assert!(2 * read <= one.len() + two.len(), "sound from nowhere");
    }
}

fn session(format: Format, line: Line) -> Session {
    Session::new(Setup {
        format,
        spoken: format,
        line,
        detector: Detector::Energy,
        lead: Duration::from_millis(100),
        echo: Echo::Guarded,
    })
}

fn decoded<'b>(format: Format, packets: impl IntoIterator<Item = &'b [u8]>) -> Vec<i16> {
    let (mut decoder, mut samples) = (Decoder::new(format, format.rate), Vec::new());
    for packet in packets {
        decoder.decode_into(packet, &mut samples);
    }
    samples
}

fn narrow(codec: Codec) -> Format {
    Format {
        codec,
        rate: Rate::Hz8000,
    }
}

fn rate(byte: u8) -> Rate {
    [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000][usize::from(byte % 4)]
}

fn tone(parts: &[f64], rate: Rate, samples: usize) -> Vec<i16> {
    let at = |n: usize| n as f64 / f64::from(rate.hz()) * TAU;
    let sample = |n| {
        parts
            .iter()
            .map(|hz| (at(n) * hz).sin() * 6_000.0)
            .sum::<f64>()
    };
    (0..samples).map(|n| sample(n) as i16).collect()
}

/// In frames, and what is held back to be put in order.
const SECOND: usize = 50 + 17;
