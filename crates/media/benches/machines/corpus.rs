//! Greetings of people and of machines: many voices, levels, lines and manners.

use std::fmt;
use std::time::Duration;

use crate::voices::{VOICES, Voice, prompt, prompts};

/// Who greets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Human,
    Machine,
}

/// What is heard from the answer on.
pub(crate) struct Greeting {
    pub(crate) kind: Kind,
    name: String,
    pub(crate) sound: Vec<i16>,
    /// When they first stopped to be answered.
    pub(crate) spoken: Duration,
    /// When the beep begins, and how long it is.
    pub(crate) beep: Option<(Duration, Duration)>,
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// All of them. Always the same.
pub(crate) fn greetings() -> Vec<Greeting> {
    let mut dice = Dice::new(1);
    let mut all = Vec::new();
    for round in 0..3 {
        for (index, text) in PEOPLE.iter().enumerate() {
            let voice = VOICES[(index * 5 + round * 7) % VOICES.len()];
            all.extend(person(text, voice, &mut dice));
        }
    }
    all.extend(RECORDED_PEOPLE.iter().filter_map(|it| {
        let said = prompt(it)?;
        Some(human(it, &[said], &mut dice))
    }));
    for round in 0..3 {
        for (index, text) in MACHINES.iter().enumerate() {
            let voice = VOICES[(index * 7 + round * 5 + 3) % VOICES.len()];
            all.extend(machine(text, voice, &mut dice));
        }
    }
    for names in RECORDED_MACHINES {
        let said: Option<Vec<_>> = names.iter().map(|it| prompt(it)).collect();
        all.extend(said.map(|said| recorder(&names.join(" "), &said, &mut dice)));
    }
    all
}

/// Ten minutes of speech and more, in which no machine beeps.
pub(crate) fn speech() -> Vec<i16> {
    let gap = vec![0; 4_000];
    let mut all: Vec<i16> = Vec::new();
    for prompt in prompts() {
        all.extend(&prompt);
        all.extend(&gap);
    }
    for (index, text) in PEOPLE.iter().chain(MACHINES).enumerate() {
        let said = VOICES[index % VOICES.len()].say(&text.replace('|', " "));
        all.extend(&said);
        all.extend(&gap);
    }
    all
}

fn person(text: &str, voice: Voice, dice: &mut Dice) -> Option<Greeting> {
    let parts: Vec<_> = text.split('|').map(|it| voice.say(it)).collect();
    let said = parts.iter().all(|it| !it.is_empty());
    said.then(|| human(&format!("{voice:?} {text:?}"), &parts, dice))
}

/// A person speaks, waits to be answered, and is not.
fn human(name: &str, parts: &[Vec<i16>], dice: &mut Dice) -> Greeting {
    let mut sound = silence(100 + dice.roll(1_100));
    if dice.roll(4) == 0 {
        // The handset is lifted.
        sound.extend((0..160).map(|_| dice.noise(4_000.0)));
        sound.extend(silence(150));
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sound.extend(silence(150 + dice.roll(350)));
        }
        sound.extend(part);
    }
    let spoken = length(&sound);
    sound.extend(silence(2_500 + dice.roll(1_000)));
    sound.extend(&parts[0]);
    sound.extend(silence(6_000));
    Greeting {
        kind: Kind::Human,
        name: name.to_owned(),
        sound: on_the_line(sound, dice),
        spoken,
        beep: None,
    }
}

fn machine(text: &str, voice: Voice, dice: &mut Dice) -> Option<Greeting> {
    let parts: Vec<_> = text.split('|').map(|it| voice.say(it)).collect();
    let said = parts.iter().all(|it| !it.is_empty());
    said.then(|| recorder(&format!("{voice:?} {text:?}"), &parts, dice))
}

/// A machine plays its greeting, beeps and records.
fn recorder(name: &str, parts: &[Vec<i16>], dice: &mut Dice) -> Greeting {
    let mut sound = silence(50 + dice.roll(1_000));
    if dice.roll(6) == 0 {
        let length = 1_000 + dice.roll(1_500);
        sound.extend(music(length));
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sound.extend(silence(200 + dice.roll(500)));
        }
        sound.extend(part);
    }
    let spoken = length(&sound);
    sound.extend(silence(100 + dice.roll(1_300)));
    let hz = BEEPS[dice.roll(BEEPS.len() as u64) as usize];
    let ms = [140, 200, 300, 400, 600, 900, 1_200][dice.roll(7) as usize];
    let peak = [1_200.0, 2_500.0, 5_000.0, 9_000.0][dice.roll(4) as usize];
    let beep = (length(&sound), Duration::from_millis(ms));
    sound.extend(beep_of(hz, ms, peak, dice.roll(3) == 0));
    sound.extend(silence(6_000));
    Greeting {
        kind: Kind::Machine,
        name: format!("{name}, {hz} Hz for {ms} ms, peak {peak}"),
        sound: on_the_line(sound, dice),
        spoken,
        beep: Some(beep),
    }
}

/// A beep, some with a third harmonic as cheap ones have.
fn beep_of(hz: f32, ms: u64, peak: f32, cheap: bool) -> Vec<i16> {
    let third = if cheap { 0.2 } else { 0.0 };
    let count = ms as usize * 8;
    let sample = |i: usize| {
        let turn = std::f32::consts::TAU * hz * i as f32 / 8_000.0;
        let edge = (i.min(count - i) as f32 / 40.0).min(1.0);
        ((turn.sin() + third * (3.0 * turn).sin()) * peak * edge) as i16
    };
    (0..count).map(sample).collect()
}

/// Chords that change.
fn music(ms: u64) -> Vec<i16> {
    let chords = [
        [262.0, 330.0, 392.0],
        [220.0, 262.0, 349.0],
        [196.0, 247.0, 294.0],
    ];
    let sample = |i: usize| {
        let time = i as f32 / 8_000.0;
        let beat = time % 0.4;
        let chord = chords[(time / 0.4) as usize % 3];
        let note = |hz: f32| {
            let turn = std::f32::consts::TAU * hz * time;
            turn.sin() + 0.5 * (2.0 * turn).sin() + 0.25 * (3.0 * turn).sin()
        };
        (chord.iter().map(|hz| note(*hz)).sum::<f32>() * 1_200.0 * (-3.0 * beat).exp()) as i16
    };
    (0..ms as usize * 8).map(sample).collect()
}

/// At this caller's level, with this line's noise.
fn on_the_line(sound: Vec<i16>, dice: &mut Dice) -> Vec<i16> {
    let db = -(dice.roll(16) as f32);
    let gain = 10f32.powf(db / 20.0);
    let noise = [0.0, 8.0, 20.0, 45.0, 90.0][dice.roll(5) as usize];
    let sample = |it: i16| {
        let with = f32::from(it) * gain + f32::from(dice.noise(noise));
        with.clamp(-32_000.0, 32_000.0) as i16
    };
    sound.into_iter().map(sample).collect()
}

fn silence(ms: u64) -> Vec<i16> {
    vec![0; ms as usize * 8]
}

fn length(sound: &[i16]) -> Duration {
    Duration::from_micros(sound.len() as u64 * 125)
}

/// Random, and the same every time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }

    /// White, of this root mean square.
    fn noise(&mut self, level: f32) -> i16 {
        let unit = self.roll(2_000) as f32 / 1_000.0 - 1.0;
        (unit * level * 1.73) as i16
    }
}

const BEEPS: [f32; 9] = [
    440.0, 500.0, 620.0, 800.0, 950.0, 1_000.0, 1_180.0, 1_400.0, 1_850.0,
];

/// `|` is a pause.
const PEOPLE: &[&str] = &[
    "Hello?",
    "Hello.",
    "Yes?",
    "Hi.",
    "Yeah?",
    "Good morning.",
    "Smith residence.",
    "Hello, Smith residence.",
    "This is Anna.",
    "Hello, this is Peter speaking.",
    "Miller.",
    "Hello? | Who is this?",
    "Hello, who's calling please?",
    "Yes, hello?",
    "Hey, what's up?",
    "Good afternoon, Doctor Brown's office.",
    "Hi, this is John.",
    "Speaking.",
    "Front desk, how can I help?",
    "Hello? | Hello?",
    "Jones and Sons, good morning.",
    "City library, this is Mary.",
    "Hello, you're speaking with Tom.",
    "Mario's Pizza, what can I get you?",
    "Yes, good evening.",
    "Hold on. | Yes, hello?",
    "Kitchen.",
    "Good morning, Green Garden Hotel, how may I help you?",
    "Hi, sorry, | hello?",
    "Thank you for calling Star Taxi, where can we pick you up?",
];

/// Short prompts that a person could say, by one who recorded them for a living.
const RECORDED_PEOPLE: &[&str] = &[
    "hello",
    "vm-Family",
    "calling",
    "one-moment-please",
    "sorry",
    "extension",
    "goodbye",
    "vm-Friends",
];

const MACHINES: &[&str] = &[
    "Hi, this is Bob. | I can't come to the phone right now. | Please leave a message after the beep.",
    "You have reached the Smith family. | We are not home. | Leave your name and number and we will call you back.",
    "The person you are trying to reach is not available. | At the tone, please record your message. | When you have finished recording, you may hang up.",
    "Leave a message.",
    "Hello, you've reached five five five, one two three four. | Nobody is available to take your call. | Please leave a message after the tone.",
    "Your call has been forwarded to an automatic voice message system. | Anna Miller | is not available. | Record your message at the tone.",
    "Hey, it's Jenny! Leave me a message and I'll get back to you as soon as I can. Thanks, bye!",
    "Thank you for calling the office of Doctor Brown. | Our office hours are nine to five, Monday through Friday. | Please leave a message and we will return your call.",
    "Hi, you've reached my voice mail. You know what to do.",
    "We can't take your call at the moment. Please leave a message after the beep.",
    "The mailbox of | John Jones | is ready to record. Please speak after the signal.",
    "Sorry I missed your call. I am either away from my desk or on the other line. Please leave your name, number and a brief message.",
    "This number is not in service at this hour. Please leave a message.",
    "Hello. | Please leave a message after the tone, and we will get back to you shortly.",
    "Good day. You have reached Green Garden Hotel. All our staff are busy. Please leave your number and we will call you back within the hour.",
    "I'm not here right now, so leave a message.",
    "Welcome to the voice mail of extension two zero four. To leave a message, wait for the tone.",
    "You've reached Tom. I'm on vacation until the first of August. If it is urgent, please call the office. Otherwise leave a message.",
    "Please record your message after the tone.",
    "Hi, it's Mary, I can't talk right now because I'm driving. Leave me a message, or send me a text instead.",
    "The customer you have called is unavailable at the moment. Please leave a message after the tone or call again later.",
];

const RECORDED_MACHINES: &[&[&str]] = &[
    &["vm-theperson", "vm-isunavail", "vm-intro"],
    &["vm-intro"],
    &["vm-nobodyavail", "vm-intro"],
    &["vm-isonphone", "vm-intro"],
    &["vm-theperson", "vm-isonphone", "vm-leavemsg"],
    &["im-sorry", "number-not-answering", "vm-intro"],
    &["hello", "vm-nobodyavail", "vm-leavemsg"],
];
