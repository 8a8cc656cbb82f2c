//! Every decoder of what comes from outside, and what it promises whatever comes.
//!
//! A decoder here is a plain function of bytes that breaks when a promise does: nothing panics, what was
//! read and written is read as the same, how bytes are cut changes nothing, and nothing is larger than
//! it may be. libFuzzer looks for bytes that break one (`cargo xtask fuzz`), and what it found worth keeping
//! lies in `corpus/`, which `cargo test -p fuzz` tells to every decoder again, without libFuzzer.

mod files;
mod said;
mod sound;
mod wire;
mod written;

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// What it is called: the target's name, and its corpus's.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// So many bytes show all it does.
    pub longest: usize,
    /// Tells it something, and breaks if it breaks a promise.
    pub tell: fn(&[u8]),
}

const fn decoder(
    name: &'static str,
    longest: usize,
    tell: fn(&[u8]),
    reads: &'static str,
) -> Decoder {
    Decoder {
        name,
        reads,
        longest,
        tell,
    }
}

/// All there are.
#[rustfmt::skip]
pub const DECODERS: &[Decoder] = &[
    decoder("twilio_webhook", 1024, wire::twilio_webhook, "Twilio's webhooks, and whose they are"),
    decoder("telnyx_webhook", 1024, wire::telnyx_webhook, "Telnyx's webhooks, and whose they are"),
    decoder("plivo_webhook", 1024, wire::plivo_webhook, "Plivo's webhooks, and whose they are"),
    decoder("twilio_socket", 1024, wire::twilio_socket, "messages on Twilio's media sockets"),
    decoder("telnyx_socket", 1024, wire::telnyx_socket, "messages on Telnyx's media sockets"),
    decoder("plivo_socket", 1024, wire::plivo_socket, "messages on Plivo's media sockets"),
    decoder("g711", 512, sound::g711, "G.711, both laws"),
    decoder("l16", 1024, sound::l16, "samples as they are, either byte first"),
    decoder("g722", 512, sound::g722, "G.722"),
    decoder("opus", 1024, sound::opus, "Opus packets"),
    decoder("line", 512, sound::line, "packets that are lost, late, twice and out of order"),
    decoder("keys", 4096, sound::keys, "keys in the sound"),
    decoder("wav", 1024, sound::wav, "WAV files"),
    decoder("config", 2048, files::config, "the configuration"),
    decoder("recording", 4096, files::recording, "flight recordings"),
    decoder("memory", 1024, files::memory, "what is remembered of a call"),
    decoder("entry", 512, files::entry, "sealed entries of the journal"),
    decoder("journal", 65536, files::journal, "the journal's file"),
    decoder("tokens", 512, files::tokens, "the file of tokens"),
    decoder("number", 64, written::number, "telephone numbers"),
    decoder("rules", 96, written::rules, "hours, classes, money, prices, time zones, keys to press"),
    decoder("dial", 64, written::dial, "whom to call"),
    decoder("orders", 512, written::orders, "what is asked of the control API"),
    decoder("wishes", 128, said::wishes, "what people say who want no more calls"),
    decoder("events", 512, said::events, "server-sent events"),
    decoder("answer", 1024, said::answer, "a language model's answer, as it is streamed"),
    decoder("tunnel", 256, said::tunnel, "what a tunnel's program says"),
];

/// Tells the decoder of this name something.
///
/// # Panics
/// It breaks a promise, or there is none of this name.
pub fn tell(name: &str, bytes: &[u8]) {
    let found = DECODERS.iter().find(|it| it.name == name);
    (found.expect("the decoder is on the list").tell)(bytes);
}
