//! Writes what was heard to a file: the caller on the left, the agent on the right.

use std::fs;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use media::Rate;
use tokio::task::JoinHandle;

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

    /// Adds one frame of each side, of equal length. Never waits.
    pub fn record(&mut self, caller: &[i16], agent: &[i16]) {
        for (left, right) in caller.iter().zip(agent) {
            self.chunk.extend([*left, *right]);
        }
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
