//! A carrier's dialect at the command line: `dialect CARRIER KEY=VALUE…`.
//!
//! One JSON object a line, and one for each back: `{"hear": "<a message>"}` is a message of the
//! carrier's and gives what it means; `{"say": "<base64>"}`, `{"mark": 7}` and `{"clear": true}` are
//! commands of ours and give `{"text": …}`, the message they become. Sound is told as samples, 16
//! bits with the low byte first, in base64. Whoever compares us with another implementation of the
//! same wire does it with this, and with nothing of ours in between.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::error::Error;
use std::io::stdin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{Decoder, Mark};
use ports::carrier::{Entry, Sound, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Secret, Settings, Value};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("dialect CARRIER KEY=VALUE…")?;
    let entry = carriers::LIST.iter().find(|it| it.name == name);
    let entry = entry.ok_or_else(|| format!("there is no carrier {name:?}"))?;
    let carrier = (entry.build)(&settings(entry, arguments)?);
    let carrier = carrier.map_err(|problems| format!("{problems:?}"))?;
    let Sound::Stream(dialect) = carrier.sound;
    let mut line = Line {
        protocol: dialect.open(),
        decoder: None,
    };
    for text in stdin().lines() {
        println!("{}", line.answer(&serde_json::from_str(&text?)?)?);
    }
    Ok(())
}

/// The settings among `pairs` that the carrier knows.
fn settings(
    entry: &Entry,
    pairs: impl Iterator<Item = String>,
) -> Result<Settings, Box<dyn Error>> {
    let mut settings = Settings::default();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or("a setting is KEY=VALUE")?;
        let key = entry.keys.iter().find(|it| it.name == name);
        let key = key.ok_or_else(|| format!("{} has no {name:?}", entry.name))?;
        let value = match key.kind {
            ports::Kind::Text | ports::Kind::Url => Value::Text(value.to_owned()),
            ports::Kind::Secret => Value::Secret(Secret::new(value)),
            ports::Kind::List => Value::List(vec![value.to_owned()]),
            ports::Kind::Number => Value::Number(value.parse()?),
        };
        settings = settings.with(key.name, value);
    }
    Ok(settings)
}

/// One socket.
struct Line {
    protocol: Box<dyn StreamProtocol>,
    /// For the sound that the stream said it has.
    decoder: Option<Decoder>,
}

impl Line {
    fn answer(&mut self, asked: &serde_json::Value) -> Result<serde_json::Value, Box<dyn Error>> {
        if let Some(message) = asked["hear"].as_str() {
            return Ok(self.hear(message));
        }
        if let Some(sound) = asked["say"].as_str() {
            return Ok(self.say(StreamCommand::Audio(&STANDARD.decode(sound)?)));
        }
        if let Some(index) = asked["mark"].as_u64() {
            let index = index.try_into()?;
            let generation = 1;
            return Ok(self.say(StreamCommand::Mark(Mark { generation, index })));
        }
        if asked["clear"] == true {
            return Ok(self.say(StreamCommand::Clear));
        }
        Err(format!("{asked} is nothing that can be asked").into())
    }

    fn hear(&mut self, message: &str) -> serde_json::Value {
        match self.protocol.decode(message) {
            Ok(StreamEvent::Audio(packet)) => {
                let mut samples = Vec::new();
                if let Some(decoder) = &mut self.decoder {
                    decoder.decode_into(packet.payload, &mut samples);
                }
                let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
                json!({"event": "audio", "pcm": STANDARD.encode(bytes)})
            }
            Ok(StreamEvent::Started(started)) => {
                let format = started.format;
                self.decoder = Some(Decoder::new(format, format.rate));
                json!({"event": "started", "rate": format.rate.hz()})
            }
            Ok(StreamEvent::Pressed(key)) => json!({"event": "pressed", "key": key.as_char()}),
            Ok(StreamEvent::Marked(mark)) => json!({"event": "marked", "mark": mark.index}),
            Ok(StreamEvent::Stopped) => json!({"event": "stopped"}),
            Ok(StreamEvent::Idle) => json!({"event": "idle"}),
            Ok(StreamEvent::Unknown) => json!({"event": "unknown"}),
            Err(fault) => json!({"event": "fault", "message": fault.message}),
        }
    }

    fn say(&mut self, command: StreamCommand<'_>) -> serde_json::Value {
        let mut text = String::new();
        self.protocol.encode(command, &mut text);
        json!({ "text": text })
    }
}
