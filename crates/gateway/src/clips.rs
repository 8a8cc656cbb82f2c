//! What everyone hears first, as sound that is made before any call needs it.
//!
//! A clip is kept on disk by a hash of its words and the voice that spoke them: a gateway whose
//! synthesizer is dead at its start still has it. Where it can be had neither from there nor from a
//! synthesizer, whoever would have to hear it is not talked to.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Cursor, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::Private;
use media::{Rate, Resampler, UtteranceId};
use ports::speech::{Speak, Spoken, Voice};
use ports::{Blame, Fault, code};
use sha2::{Digest as _, Sha256};

use crate::blocking::blocking;
use crate::hex;
use crate::state::make_folder;

/// Words as sound.
pub struct Clip {
    text: Private<String>,
    sha256: String,
    /// At [`RATE`].
    samples: Arc<[i16]>,
    /// At the rate of telephones.
    narrow: Arc<[i16]>,
}

impl Clip {
    fn new(text: &str, samples: Vec<i16>) -> Self {
        let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        Self {
            text: text.to_owned().into(),
            sha256: hex::of(&Sha256::digest(bytes)),
            narrow: resampled(&samples, Rate::Hz8000).into(),
            samples: samples.into(),
        }
    }

    /// What a call is told of it.
    pub fn announcement(&self) -> call::Announcement {
        call::Announcement {
            text: self.text.clone(),
            sha256: self.sha256.clone(),
            bytes: 2 * self.samples.len() as u64,
            length: RATE.duration_of(self.samples.len()),
        }
    }

    /// Its samples for a line of this rate.
    pub fn at(&self, rate: Rate) -> Arc<[i16]> {
        match rate {
            Rate::Hz8000 => self.narrow.clone(),
            Rate::Hz16000 => self.samples.clone(),
            Rate::Hz24000 | Rate::Hz48000 => resampled(&self.samples, rate).into(),
        }
    }
}

/// The clips there are.
pub struct Clips {
    folder: PathBuf,
    kept: Mutex<HashMap<String, Arc<Clip>>>,
    /// One is made at a time: the next may be the same.
    making: tokio::sync::Mutex<()>,
}

impl Clips {
    /// Those in the folder `clips` of the state folder.
    pub fn new(state: &Path) -> Self {
        Self {
            folder: state.join("clips"),
            kept: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    /// These words in this voice, if they are in memory or on disk, or else as `voice` speaks them, which
    /// is kept.
    ///
    /// # Errors
    /// They are not there, and cannot be spoken now.
    pub async fn get(
        &self,
        text: &str,
        name: &str,
        voice: impl Future<Output = Result<Voice, Fault>>,
    ) -> Result<Arc<Clip>, Fault> {
        let key = key(text, name);
        if let Some(clip) = self.known(&key) {
            return Ok(clip);
        }
        let _making = self.making.lock().await;
        if let Some(clip) = self.known(&key) {
            return Ok(clip);
        }
        let file = self.folder.join(format!("{key}.wav"));
        let (from, words) = (file.clone(), text.to_owned());
        let read = move || Ok(read(&from).map(|it| Clip::new(&words, it)));
        let clip = match blocking("reading a clip", read).await? {
            Some(clip) => clip,
            None => {
                let made =
                    tokio::time::timeout(PATIENCE, async { speak(&voice.await?, text).await });
                let samples = made
                    .await
                    .unwrap_or_else(|_| Err(silent()))
                    .map_err(missing)?;
                let words = text.to_owned();
                let keep = move || {
                    // Without it there is one all the same, until the gateway starts again.
                    if let Err(error) = write(&file, &samples) {
                        let file = file.display();
                        tracing::warn!(%file, %error, "what everyone hears first cannot be kept");
                    }
                    Ok(Clip::new(&words, samples))
                };
                blocking("keeping a clip", keep).await?
            }
        };
        let clip = Arc::new(clip);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key, clip.clone());
        Ok(clip)
    }

    fn known(&self, key: &str) -> Option<Arc<Clip>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).cloned()
    }
}

fn key(text: &str, voice: &str) -> String {
    let whole = format!("offhook clip 1\0{voice}\0{text}");
    hex::of(&Sha256::digest(whole.as_bytes()))
}

/// Has a mouth of its own say it.
async fn speak(voice: &Voice, text: &str) -> Result<Vec<i16>, Fault> {
    let mut mouth = voice.mouth.open(RATE).await?;
    let (mut samples, mut id) = (Vec::new(), 0);
    for clause in call::clauses(text) {
        id += 1;
        let said = Speak::Text(UtteranceId(id), clause.into());
        mouth.tx.send(said).await.map_err(|_| silent())?;
        loop {
            match mouth.rx.recv().await {
                Some(Spoken::Audio(_, more)) => samples.extend(more),
                Some(Spoken::Done(_, length)) if length.is_zero() => return Err(silent()),
                Some(Spoken::Done(..)) => break,
                Some(Spoken::Failed(_, fault)) => return Err(fault),
                None => return Err(silent()),
            }
            if RATE.duration_of(samples.len()) > LONGEST {
                return Err(silent());
            }
        }
    }
    if is_silent(&samples) {
        return Err(silent());
    }
    Ok(samples)
}

fn is_silent(samples: &[i16]) -> bool {
    samples.iter().all(|it| it.unsigned_abs() < AUDIBLE)
}

/// A clip that cannot be read, or in which nothing can be heard, is none.
fn read(file: &Path) -> Option<Vec<i16>> {
    let bytes = fs::read(file).ok()?;
    let wav = hound::WavReader::new(Cursor::new(bytes)).ok()?;
    if wav.spec() != SPEC {
        return None;
    }
    let samples: Result<Vec<i16>, _> = wav.into_samples().collect();
    samples.ok().filter(|it| !is_silent(it))
}

/// Whole, or not at all.
fn write(file: &Path, samples: &[i16]) -> Result<(), hound::Error> {
    make_folder(file.parent().unwrap_or(file))?;
    let unfinished = file.with_extension("new");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(BufWriter::new(&mut bytes), SPEC)?;
    for sample in samples {
        wav.write_sample(*sample)?;
    }
    wav.finalize()?;
    out.write_all(bytes.get_ref())?;
    out.sync_all()?;
    fs::rename(&unfinished, file)?;
    Ok(())
}

fn resampled(samples: &[i16], rate: Rate) -> Vec<i16> {
    let mut resampler = Resampler::new(RATE.hz(), rate.hz());
    let mut out = Vec::new();
    resampler.push(samples, &mut out);
    resampler.flush(&mut out);
    out
}

fn silent() -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_FAILED,
        "the voice did not speak",
    )
}

fn missing(fault: Fault) -> Fault {
    let message = "nobody can be told who speaks to them, so nobody is talked to: the sound of it was never made, and cannot be made now";
    Fault::new(fault.blame, code::CALL_NO_DISCLOSURE, message)
        .hint("`offhook doctor` says what is wrong with the voice")
        .because(fault)
}

/// Clips are made for wideband lines, and thinned out for others.
const RATE: Rate = Rate::Hz16000;

const SPEC: hound::WavSpec = hound::WavSpec {
    channels: 1,
    sample_rate: 16_000,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

/// How long a voice may take, loaded or not.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nobody listens longer to who speaks to them.
const LONGEST: Duration = Duration::from_secs(60);
/// So many are kept in memory: more than a configuration has texts.
const MOST: usize = 256;
/// What is quieter than this throughout is silence.
const AUDIBLE: u16 = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use ports::speech::{Hearing, Listen, Synthesizer, Transcriber};
    use ports::{Link, pair};

    use super::*;

    /// Hums a tenth of a second for each clause, for as long as it lives.
    #[derive(Clone, Default)]
    struct Mortal(Arc<AtomicBool>);

    #[async_trait::async_trait]
    impl Transcriber for Mortal {
        async fn open(&self, _: &str, _: Rate) -> Result<Link<Listen, Hearing>, Fault> {
            Ok(pair(1).0)
        }
    }

    #[async_trait::async_trait]
    impl Synthesizer for Mortal {
        async fn open(&self, rate: Rate) -> Result<Link<Speak, Spoken>, Fault> {
            let (near, mut far) = pair(8);
            let dead = self.0.clone();
            tokio::spawn(async move {
                while let Some(Speak::Text(id, _)) = far.rx.recv().await {
                    if dead.load(Ordering::Relaxed) {
                        let _ = far.tx.send(Spoken::Failed(id, silent())).await;
                        continue;
                    }
                    let tone = |at: usize| {
                        if (at / 10).is_multiple_of(2) {
                            4_000
                        } else {
                            -4_000
                        }
                    };
                    let length = Duration::from_millis(100);
                    let samples = (0..rate.samples_in(length)).map(tone).collect();
                    let _ = far.tx.send(Spoken::Audio(id, samples)).await;
                    let _ = far.tx.send(Spoken::Done(id, length)).await;
                }
            });
            Ok(near)
        }
    }

    fn voice(mortal: &Mortal) -> Result<Voice, Fault> {
        let mortal = Arc::new(mortal.clone());
        Ok(Voice {
            ears: mortal.clone(),
            mouth: mortal,
            detector: None,
        })
    }

    #[tokio::test]
    async fn what_was_spoken_once_outlives_its_voice_and_its_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let mortal = Mortal::default();
        let clips = Clips::new(folder.path());
        let first = clips
            .get("Hello there.", "one", async { voice(&mortal) })
            .await;
        let first = first.expect("it speaks");
        assert_eq!(first.announcement().length, Duration::from_millis(100));
        assert_eq!(first.announcement().bytes, 3_200);
        mortal.0.store(true, Ordering::Relaxed);
        let again = Clips::new(folder.path());
        let kept = again
            .get("Hello there.", "one", async { voice(&mortal) })
            .await;
        let kept = kept.expect("it is on disk");
        assert_eq!(kept.announcement(), first.announcement());
        assert_eq!(kept.at(Rate::Hz8000), first.at(Rate::Hz8000));
        assert!(kept.at(Rate::Hz8000).len().abs_diff(800) < 40);
        for (text, name) in [("Hello there!", "one"), ("Hello there.", "another")] {
            let other = again.get(text, name, async { voice(&mortal) }).await;
            let fault = other.err().expect("it is not there");
            assert_eq!(fault.code, code::CALL_NO_DISCLOSURE);
        }
    }

    #[tokio::test]
    async fn half_a_clip_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let mortal = Mortal::default();
        let clips = Clips::new(folder.path());
        let made = clips.get("Hello.", "one", async { voice(&mortal) }).await;
        made.expect("it speaks");
        let file = fs::read_dir(folder.path().join("clips")).expect("it is there");
        let file = file.filter_map(Result::ok).next().expect("a file").path();
        let whole = fs::read(&file).expect("it can be read");
        for length in [0, 20, 44, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..length]).expect("there is room");
            assert!(read(&file).is_none(), "{length} bytes");
        }
        let mute = vec![0; whole.len() - 44];
        fs::write(&file, [&whole[..44], &mute].concat()).expect("there is room");
        assert!(read(&file).is_none(), "nothing can be heard");
        fs::write(&file, &whole).expect("there is room");
        assert!(read(&file).is_some());
    }
}
