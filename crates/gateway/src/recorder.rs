//! Writes what was heard to a file: the caller on the left, the agent on the right.

use std::fs;
use std::io::{BufWriter, Cursor};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use media::Rate;
use tokio::task::JoinHandle;

/// What the recording of a call is called by a process that took it up after so many events.
pub fn name(call: &str, events: u64) -> String {
    match events {
        0 => format!("{call}.wav"),
        events => format!("{call}{AFTER}{events}.wav"),
    }
}

/// All that was recorded of a call, one part after the other. `None`: nothing, or nothing that can be
/// read.
pub fn whole(folder: &Path, call: &str) -> Option<Vec<u8>> {
    let mut parts: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .ok()?
        .filter_map(|file| {
            let name = file.ok()?.file_name().into_string().ok()?;
            let rest = name.strip_prefix(call)?.strip_suffix(".wav")?;
            let events = match rest.strip_prefix(AFTER) {
                Some(events) => events.parse().ok()?,
                None if rest.is_empty() => 0,
                None => return None,
            };
            Some((events, folder.join(name)))
        })
        .collect();
    parts.sort();
    if let [(_, only)] = parts.as_slice() {
        return fs::read(only).ok();
    }
    let mut all = Cursor::new(Vec::new());
    let mut readers = parts
        .iter()
        .filter_map(|(_, path)| hound::WavReader::open(path).ok());
    let first = readers.next()?;
    let spec = first.spec();
    let mut wav = hound::WavWriter::new(&mut all, spec).ok()?;
    // A line may come back with another rate; what cannot be put together is left out.
    for reader in [first]
        .into_iter()
        .chain(readers.filter(|it| it.spec() == spec))
    {
        for sample in reader.into_samples::<i16>().map_while(Result::ok) {
            wav.write_sample(sample).ok()?;
        }
    }
    wav.finalize().ok()?;
    Some(all.into_inner())
}

const AFTER: &str = ".after-";

/// One call's recording, under way.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    chunk: Vec<i16>,
    full: usize,
    chunks: SyncSender<Vec<i16>>,
    writer: JoinHandle<Result<(), hound::Error>>,
    /// Seconds that the disk was too slow for.
    lost: u64,
}

/// So many chunks, of a second each, wait for a slow disk.
const BACKLOG: usize = 8;

impl Recorder {
    /// Starts a recording at `path`, whose folder must exist. Writing happens on a thread that may
    /// block.
    pub fn start(path: PathBuf, rate: Rate) -> Self {
        let (chunks, coming) = sync_channel::<Vec<i16>>(BACKLOG);
        let file = path.clone();
        let writer = tokio::task::spawn_blocking(move || {
            let spec = hound::WavSpec {
                channels: 2,
                sample_rate: rate.hz(),
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(file)?;
            let mut wav = hound::WavWriter::new(BufWriter::new(file), spec)?;
            while let Ok(chunk) = coming.recv() {
                for sample in chunk {
                    wav.write_sample(sample)?;
                }
                wav.flush()?;
            }
            wav.finalize()
        });
        let full = rate.hz() as usize * 2;
        Self {
            path,
            chunk: Vec::with_capacity(full),
            full,
            chunks,
            writer,
            lost: 0,
        }
    }

    /// Adds one frame of the caller's alone. Never waits.
    pub fn record_alone(&mut self, caller: &[i16]) {
        self.chunk.extend(caller.iter().flat_map(|left| [*left, 0]));
        self.pass_on();
    }

    /// Adds one frame of each side, of equal length. Never waits.
    pub fn record(&mut self, caller: &[i16], agent: &[i16]) {
        for (left, right) in caller.iter().zip(agent) {
            self.chunk.extend([*left, *right]);
        }
        self.pass_on();
    }

    fn pass_on(&mut self) {
        if self.chunk.len() >= self.full {
            let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(self.full));
            if self.chunks.try_send(chunk).is_err() {
                self.lost += 1;
            }
        }
    }

    /// Writes the rest and closes the file.
    pub async fn finish(self) {
        let path: &Path = &self.path;
        let _ = self.chunks.try_send(self.chunk);
        drop(self.chunks);
        match self.writer.await {
            Ok(Ok(())) if self.lost == 0 => {}
            Ok(Ok(())) => tracing::warn!(
                ?path,
                seconds = self.lost,
                "the disk was too slow for the recording"
            ),
            Ok(Err(error)) => tracing::error!(?path, %error, "the recording could not be written"),
            Err(error) => tracing::error!(?path, %error, "the recording's writer broke"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, samples: &[i16]) {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(path, spec).expect("the folder is ours");
        for sample in samples {
            wav.write_sample(*sample).expect("there is room");
        }
        wav.finalize().expect("there is room");
    }

    #[test]
    fn the_parts_of_a_call_are_put_together_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |events| folder.path().join(name("a1", events));
        assert_eq!(whole(folder.path(), "a1"), None);
        write(&at(0), &[1, 2]);
        assert_eq!(whole(folder.path(), "a1"), fs::read(at(0)).ok());
        write(&at(12), &[5, 6]);
        write(&at(9), &[3, 4]);
        write(&folder.path().join(name("a12", 0)), &[7, 8]);
        let wav = whole(folder.path(), "a1").expect("there are three parts");
        let wav = hound::WavReader::new(wav.as_slice()).expect("it is a recording");
        let samples: Vec<i16> = wav.into_samples().map_while(Result::ok).collect();
        assert_eq!(samples, [1, 2, 3, 4, 5, 6]);
    }
}
