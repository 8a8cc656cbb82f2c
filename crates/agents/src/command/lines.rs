//! Letters to a program and from it, one a line.

use async_trait::async_trait;
use ports::agent::{Carries, Introduction};
use ports::{Fault, Link, pair};

use super::child::{Program, Running, Wrote};

/// Carries letters to a program, which it starts.
pub(super) struct Lines {
    pub(super) program: Program,
    pub(super) call: Introduction,
}

#[async_trait]
impl Carries for Lines {
    async fn begin(&mut self) -> Result<Link<String, String>, Fault> {
        let running = self.program.start(&self.call, None)?;
        let (near, far) = pair(QUEUE);
        tokio::spawn(carry(running, far));
        Ok(near)
    }
}

async fn carry(running: Running, far: Link<String, String>) {
    let Link {
        tx: write,
        rx: mut wrote,
    } = running;
    let Link {
        tx,
        rx: mut letters,
    } = far;
    let there = async move {
        while let Some(letter) = letters.recv().await {
            if write.send(letter + "\n").await.is_err() {
                return;
            }
        }
        // Its input ends here, by which it knows that it should.
    };
    let back = async move {
        let mut line = Vec::new();
        while let Some(Wrote::Bytes(bytes)) = wrote.recv().await {
            for byte in bytes {
                match byte {
                    b'\n' => {
                        let letter = String::from_utf8_lossy(&line).trim().to_owned();
                        line.clear();
                        if !letter.is_empty() && tx.send(letter).await.is_err() {
                            // Nobody listens; the program may still end by itself.
                            while let Some(Wrote::Bytes(_)) = wrote.recv().await {}
                            return;
                        }
                    }
                    _ if line.len() >= LONGEST => return,
                    _ => line.push(byte),
                }
            }
        }
    };
    tokio::pin!(there, back);
    tokio::select! {
        // It was told all that there is: it has a moment to end.
        () = &mut there => { let _ = tokio::time::timeout(GRACE, back).await; }
        () = &mut back => {}
    }
}

const QUEUE: usize = 64;
/// In bytes, of a line.
const LONGEST: usize = 256 * 1024;
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);
