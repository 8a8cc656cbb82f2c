//! Plants the first of each corpus: what carriers, people and we ourselves really write.
//!
//! `cargo run -p fuzz --example plant` writes `corpus/DECODER/seed-N`; what the fuzzers found lies beside it.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use call::input::{Agent, Carrier};
use call::{Direction, Input, Machine, Mode, Opening, Phrases, Plan, Policy, TurnId};
use gateway::flight::{Flight, Landing, Snapshot};
use gateway::journal::{CallLog, Journal, Keep, Keys, Parties, Pen, SealKey};
use media::{Codec, Encoder, Format, Rate};

type Planted = Result<(), Box<dyn std::error::Error>>;

fn main() -> Planted {
    for (name, seeds) in TEXTS {
        plant(name, seeds.iter().map(|it| it.as_bytes().to_vec()))?;
    }
    sockets()?;
    sound()?;
    files()
}

fn plant(name: &str, seeds: impl IntoIterator<Item = Vec<u8>>) -> Planted {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let folder: PathBuf = corpus.join(name);
    std::fs::create_dir_all(&folder)?;
    for (at, seed) in seeds.into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{at}")), seed)?;
    }
    Ok(())
}

/// As carriers write them, and as they might.
fn sockets() -> Planted {
    let twilio = [
        include_str!("../../crates/carriers/src/twilio/fixtures/stream.jsonl"),
        include_str!("../../crates/carriers/src/twilio/fixtures/odd.jsonl"),
    ];
    let plivo = [
        include_str!("../../crates/carriers/src/plivo/fixtures/stream.jsonl"),
        include_str!("../../crates/carriers/src/plivo/fixtures/odd.jsonl"),
    ];
    for (name, files) in [("twilio_socket", twilio), ("plivo_socket", plivo)] {
        plant(name, files.map(short))?;
    }
    let telnyx = [
        ("PCMU", 8000),
        ("PCMA", 8000),
        ("L16", 16000),
        ("G722", 8000),
        ("OPUS", 48000),
    ];
    plant(
        "telnyx_socket",
        telnyx.map(|(encoding, rate)| {
            let start = TELNYX[0]
                .replace("ENCODING", encoding)
                .replace("RATE", &rate.to_string());
            [&[start.as_str()], &TELNYX[1..]]
                .concat()
                .join("\n")
                .into_bytes()
        }),
    )
}

/// A recorded stream without most of its sound, of which every message is like another.
fn short(lines: &str) -> Vec<u8> {
    let short = lines.lines().map(|line| match line.find("\"payload\":\"") {
        Some(at) if line.len() > 300 => {
            let (front, rest) = line.split_at(at + 11);
            let (sound, rest) = rest.split_once('"').unwrap_or(("", rest));
            format!("{front}{}\"{rest}", &sound[..16])
        }
        _ => line.to_owned(),
    });
    short.collect::<Vec<_>>().join("\n").into_bytes()
}

fn sound() -> Planted {
    let ramp: Vec<u8> = (0..=255).collect();
    for name in ["g711", "l16", "g722"] {
        plant(name, [ramp.clone()])?;
    }
    let written = |codec, rate, tones: &[f64], frames| {
        let format = Format { codec, rate };
        let mut encoder = Encoder::new(format, rate);
        let samples = tone(tones, rate, frames);
        let frames = samples.chunks_exact(rate.samples_per_frame());
        let packets = frames.map(|it| {
            let mut packet = Vec::new();
            encoder.encode_into(it, &mut packet);
            packet
        });
        packets.collect::<Vec<_>>()
    };
    plant(
        "opus",
        [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000].map(|rate| {
            let mut bytes = vec![1];
            for packet in written(Codec::Opus, rate, &[440.0, 900.0], 4) {
                bytes.extend(u8::try_from(packet.len()));
                bytes.extend(packet);
            }
            bytes
        }),
    )?;
    let lines = [
        [0, 0, 0],
        [0, 1, 3],
        [0, 2, 4],
        [2, 1, 3],
        [3, 2, 2],
        [4, 2, 4],
    ];
    plant(
        "line",
        lines.map(|head| {
            let mut bytes = head.to_vec();
            for step in [1, 1, 2, 0xff, 1, 3, 0xfe] {
                bytes.extend([20, step]);
                bytes.extend([0x55; 20]);
                bytes.extend([0x80, 0x80]);
            }
            bytes
        }),
    )?;
    let keys = [[697.0, 1_209.0], [852.0, 1_336.0], [941.0, 1_477.0]];
    plant(
        "keys",
        keys.map(|pair| {
            let quiet = written(Codec::Ulaw, Rate::Hz8000, &[0.0], 3);
            let pressed = written(Codec::Ulaw, Rate::Hz8000, &pair, 5);
            [quiet.clone(), pressed, quiet].concat().concat()
        }),
    )?;
    plant(
        "wav",
        [wav(1, 8_000, 16)?, wav(2, 16_000, 16)?, wav(2, 44_100, 24)?],
    )
}

/// The same file twice.
fn wav(channels: u16, sample_rate: u32, bits_per_sample: u16) -> Result<Vec<u8>, hound::Error> {
    let mut file = Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    for sample in tone(&[300.0], Rate::Hz8000, 1).into_iter().take(60) {
        writer.write_sample(i32::from(sample))?;
    }
    writer.finalize()?;
    let file = file.into_inner();
    let length = (file.len() as u16).to_le_bytes();
    Ok([&length[..], &file, &file].concat())
}

fn tone(tones: &[f64], rate: Rate, frames: usize) -> Vec<i16> {
    let at = |n: usize| n as f64 / f64::from(rate.hz()) * std::f64::consts::TAU;
    let sample = |n| {
        tones
            .iter()
            .map(|hz| (at(n) * hz).sin() * 6_000.0)
            .sum::<f64>()
    };
    let samples = frames * rate.samples_per_frame();
    (0..samples).map(|n| sample(n) as i16).collect()
}

/// What we write ourselves.
fn files() -> Planted {
    let recordings = [conversation(), notice()];
    plant("recording", recordings.map(|(bytes, _)| unsealed(bytes)))?;
    plant(
        "memory",
        [conversation().1, notice().1].map(String::into_bytes),
    )?;
    let keys = Keys {
        seal: SealKey::parse(&"07".repeat(32)),
        old: Vec::new(),
    };
    let sealed = keys.seal(ENTRY).unwrap_or_default().into_bytes();
    plant("entry", [ENTRY.as_bytes().to_vec(), sealed])?;
    let folder = tempfile::tempdir()?;
    let journal = Journal::open(folder.path(), Keep::default(), Keys::default())?;
    let (pen, mut durable) = (journal.pen(), journal.durable());
    let mut flown = Flown::start(plan(Opening::Ask), pen);
    flown.talk();
    let written = flown.log.after(0).len() as u64;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(durable.wait_for(|it| *it >= written))?;
    drop((flown, journal, durable));
    let path = gateway::journal::path(folder.path());
    // The last to leave puts everything into the one file.
    while path.with_extension("db-wal").exists() {
        std::thread::yield_now();
    }
    plant("journal", [std::fs::read(path)?])
}

fn plan(opening: Opening) -> Plan {
    Plan {
        direction: Direction::Inbound,
        mode: Mode::Conversation { opening },
        machine: Machine::Talk,
        policy: Policy::default(),
        phrases: Phrases::default(),
        announcement: None,
        recording: call::Recording::Never,
    }
}

/// A call as it goes.
struct Flown {
    flight: Flight,
    landing: Landing,
    log: CallLog,
    now: Instant,
}

impl Flown {
    fn start(plan: Plan, pen: Pen) -> Self {
        let parties = Parties {
            direction: "inbound",
            number: "+15550001111".into(),
            caller: Some("+15551234567".into()),
            carrier: "pigeon".into(),
            agent: "parrot".into(),
            allowed_by: "a rule".to_owned(),
            objective: None,
            asked_by: None,
            trust: call::Trust::CallerId,
        };
        let log = CallLog::new("c".into(), parties, pen);
        let (now, landing) = (log.began().at, Landing::default());
        let (flight, first) = Flight::start(now, plan, &log, landing.clone());
        let mut flown = Self {
            flight,
            landing,
            log,
            now,
        };
        flown.perform(first);
        flown
    }

    fn tell(&mut self, input: Input) {
        self.now += Duration::from_millis(500);
        let outputs = self.flight.handle(self.now, 0, input);
        self.perform(outputs);
    }

    fn perform(&mut self, outputs: Vec<call::Output>) {
        for output in outputs {
            if let call::Output::Event(event) = output {
                self.log.push(self.now, event);
            }
        }
    }

    fn talk(&mut self) {
        let turn = TurnId(0);
        for input in [
            Input::Carrier(Carrier::Answered),
            Input::Carrier(Carrier::Connected),
            Input::Agent(Agent::Say(turn, "Hello, who is it?".into())),
            Input::Agent(Agent::Finish(turn)),
            Input::Speech(call::input::Speech::Final("Me.".into())),
            Input::Timeout,
        ] {
            self.tell(input);
        }
    }

    fn end(self) -> (Vec<u8>, String) {
        let Self {
            flight,
            landing,
            log,
            now,
        } = self;
        let remembered = gateway::memory::Remembered {
            mode: Mode::Conversation {
                opening: Opening::Ask,
            },
            memory: flight.memory(now),
        };
        drop(flight);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let tape = runtime.expect("a runtime").block_on(landing.tape());
        let snapshot = Snapshot {
            tape: tape.expect("it has landed"),
            entries: log.after(0),
        };
        (snapshot.seal(&log), remembered.write())
    }
}

fn conversation() -> (Vec<u8>, String) {
    let mut flown = Flown::start(plan(Opening::Say("Hello.".into())), Pen::dry());
    flown.talk();
    flown.end()
}

fn notice() -> (Vec<u8>, String) {
    let mode = Mode::Notify {
        text: "The car is ready.".into(),
    };
    let (direction, plan) = (Direction::Outbound, plan(Opening::Wait));
    let mut flown = Flown::start(
        Plan {
            direction,
            mode,
            ..plan
        },
        Pen::dry(),
    );
    for input in [
        Input::Carrier(Carrier::Ringing),
        Input::Carrier(Carrier::Answered),
        Input::Carrier(Carrier::Connected),
        Input::Timeout,
    ] {
        flown.tell(input);
    }
    flown.end()
}

fn unsealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.pop();
    let end = bytes
        .iter()
        .rposition(|it| *it == b'\n')
        .unwrap_or_default();
    bytes.truncate(end);
    bytes
}

const ENTRY: &str =
    r#"{"v":1,"call":"c","seq":3,"type":"agent.interrupted","heard":"so","unheard":"me"}"#;

const TELNYX: [&str; 7] = [
    r#"{"event":"start","sequence_number":"1","start":{"call_control_id":"v3:MdI91X4lWFEs7Igb","media_format":{"encoding":"ENCODING","sample_rate":RATE,"channels":1}},"stream_id":"32de"}"#,
    r#"{"event":"media","sequence_number":"4","media":{"track":"inbound","chunk":"2","timestamp":"5","payload":"fn7/fg=="},"stream_id":"32de"}"#,
    r#"{"event": "media", "media": {"track": "inbound", "chunk": 3, "payload": "fn7/fg=="}}"#,
    r#"{"event":"dtmf","stream_id":"32de","dtmf":{"digit":"1"}}"#,
    r#"{"event":"mark","stream_id":"32de","mark":{"name":"g2-7"}}"#,
    r#"{"event":"weather","sky":"grey"}"#,
    r#"{"event":"stop","stop":{"call_control_id":"v3:MdI91X4lWFEs7Igb"},"stream_id":"32de"}"#,
];

const TEXTS: &[(&str, &[&str])] = &[
    (
        "twilio_webhook",
        &[
            "voice call=1\n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&CallStatus=ringing&Direction=inbound&From=%2B15551234567&To=%2B15550001111",
            "status call=1\nx-twilio-signature: AAAA\n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&CallStatus=completed&Direction=outbound-api&SipResponseCode=200&CallDuration=3",
            "again after=3\n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&CallStatus=in-progress&Direction=inbound&DialCallStatus=busy",
            "status \n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&AnsweredBy=machine_start",
            "status \n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&RecordingSid=RE11111111111111111111111111111111&RecordingStatus=completed&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2Fx",
            "status \n\nCallSid=CA11111111111111111111111111111111&AccountSid=AC00000000000000000000000000000000&ConferenceSid=CF11111111111111111111111111111111&StatusCallbackEvent=participant-join",
        ],
    ),
    (
        "plivo_webhook",
        &[
            "voice call=1\n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&Event=StartApp&CallStatus=ringing&Direction=inbound&From=15551234567&To=15550001111",
            "status call=1&a=b\nx-plivo-signature-v3: AA,AA\nx-plivo-signature-v3-nonce: 1\n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&Event=Hangup&Direction=outbound&CallStatus=completed&HangupCauseCode=4000&RequestUUID=9834029e-58b6-11e1-b8b7-a5bd0e4e126f",
            "status \n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&Event=MachineDetection&Machine=true&CallStatus=in-progress&Direction=outbound&RequestUUID=9834029e-58b6-11e1-b8b7-a5bd0e4e126f",
            "again \n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&DialStatus=busy&DialHangupCause=USER_BUSY&CallStatus=in-progress&Direction=inbound",
            "status \n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&RecordUrl=https%3A%2F%2Fmedia.plivo.com%2Fx.wav&RecordingID=1&RecordingDuration=3&Event=RecordStop",
            "status \n\nCallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&ConferenceName=a&ConferenceAction=enter&Event=ConferenceEnter",
        ],
    ),
    (
        "telnyx_webhook",
        &[
            "voice call=1\n\n{\"data\":{\"event_type\":\"call.initiated\",\"id\":\"0ccc7b54\",\"payload\":{\"call_control_id\":\"v3:MdI9\",\"direction\":\"incoming\",\"state\":\"parked\",\"client_state\":null,\"from\":\"+15551234567\",\"to\":\"+15550001111\"}}}",
            "voice \ntelnyx-timestamp: 1732275000\ntelnyx-signature-ed25519: AAAA\n\n{\"data\":{\"event_type\":\"call.hangup\",\"id\":\"1\",\"payload\":{\"call_control_id\":\"v3:MdI9\",\"client_state\":\"ZGlhbGxlZA==\",\"hangup_cause\":\"user_busy\",\"hangup_source\":\"callee\"}}}",
            "voice \n\n{\"data\":{\"event_type\":\"call.answered\",\"id\":\"1\",\"payload\":{\"call_control_id\":\"v3:MdI9\",\"client_state\":\"ZGlhbGxlZA==\"}}}",
            "voice \n\n{\"data\":{\"event_type\":\"call.recording.saved\",\"id\":\"1\",\"payload\":{\"call_control_id\":\"v3:MdI9\",\"recording_id\":\"r-1\",\"recording_urls\":{\"wav\":\"https://s3.example/x.wav\"}}}}",
            "voice \n\n{\"data\":{\"event_type\":\"call.machine.detection.ended\",\"id\":\"1\",\"payload\":{\"call_control_id\":\"v3:MdI9\",\"result\":\"machine\"}}}",
        ],
    ),
    (
        "number",
        &[
            "+15551234567",
            "+4930123456",
            "+881612345678",
            "+112",
            "+1 555 123 4567",
            "+6834112",
            "0015551234567",
        ],
    ),
    (
        "rules",
        &[
            "08:00-21:00",
            "00:00-24:00",
            "DE mobile",
            "US landline mobile toll-free",
            "3.50",
            "0.000001",
            "+49",
            "Europe/Berlin",
            "12w#",
        ],
    ),
    (
        "dial",
        &[
            "mom",
            "+15551234567",
            "+33123456789",
            "+33612345678",
            "+15551234567;ext=1",
            "sip:+15551234567@evil",
            "911",
        ],
    ),
    (
        "orders",
        &[
            "{\"to\":\"+15551234567\",\"from\":\"+15550001111\",\"agent\":\"a\",\"say\":\"Hi\",\"converse\":true,\"on_machine\":\"leave\",\"machine_message\":\"Call back\"}",
            "{\"token\":\"t\"}",
            "{\"people\":[{\"to\":\"+15551234567\",\"name\":\"anna\"}],\"agent\":\"a\"}",
            "{\"text\":\"Hello\"}",
            "0198c0f4a1b27c3d8e9f0a1b2c3d4e5f",
        ],
    ),
    (
        "wishes",
        &[
            "Stop calling me.",
            "Don't call me back, please",
            "Don't stop calling me",
            "Ne m'appelez plus",
            "rufen sie mich nicht mehr an",
            "I want to opt out",
        ],
    ),
    (
        "events",
        &[
            "\u{feff}: hello\r\ndata: {\"a\":\"é€😀\"}\r\n\r\nevent: x\ndata:one\ndata:  two\nid: 7\n\nretry: 3\r\rdata\r\rdata: [DONE]\n\n",
            "data: a\ndata: b",
        ],
    ),
    (
        "answer",
        &[
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hello \"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"there [[han\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"gup]] x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            "data: {\"error\":{\"code\":\"model_not_found\",\"type\":\"x\"}}\n\n",
            "data: {\"choices\":[{\"message\":{\"content\":\"Hi [[silent]]\"},\"finish_reason\":\"stop\"}]}\n\n",
        ],
    ),
    (
        "tunnel",
        &[
            "2026-10-30T10:15:18Z INF |  https://purple-rain-4d7f.trycloudflare.com                 |",
            "{\"lvl\":\"info\",\"msg\":\"started tunnel\",\"url\":\"https://ab12.ngrok-free.app\"}",
            "https://home.tail9f3a.ts.net:8443/",
        ],
    ),
    (
        "config",
        &[
            CONFIG,
            "[server]\npublic_url = \"x\"\n[policy]\ncall = \"+1\"\nanswer = [\"any\"]\nhours = \"21:00-08:00\"\n",
        ],
    ),
    (
        "tokens",
        &[
            "[{\"id\":\"a\",\"scope\":\"call\",\"created\":\"2026-01-01T00:00:00Z\",\"hash\":\"a4a96fb0a1b4c0a9\"}]",
        ],
    ),
];

const CONFIG: &str = r#"[server]
public_url = "https://voice.example.com"
[carriers.twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "0123456789abcdef0123456789abcdef"
[numbers."+15550002222"]
carrier = "twilio"
agent = "reception"
[agents.reception]
kind = "answering-service"
on_machine = "leave"
machine_message = "Please call back."
transfer_to = ["ben"]
[transfers.ben]
number = "+15557654321"
after = "end"
agent = "leaves"
[contacts.mom]
number = "+4930123456"
hours = "08:00-21:00"
zone = "Europe/Berlin"
[policy]
call = ["+15557654321", "DE mobile"]
answer = ["+15557654321"]
spend_per_day = 20
[rates]
"+1" = 0.014
default = 0.5
[turns]
barge_in_ms = 300
"#;
