//! Every REST request that our carriers can make, sent to a mock made from the carrier's own
//! description of its API; and the same requests spoiled, which the mock has to refuse.
//!
//! `cargo xtask prism` starts a mock for each carrier and this with
//! `NAME=PORT=DESCRIPTION` for each. It ends with 1 if a mock refuses a request of ours, if we
//! cannot read what it answers, or if it takes a request that was spoiled.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a check says what it found"
)]
#![allow(missing_docs, reason = "a program, not a library")]

mod asked;
mod description;
mod far;
mod mock;
mod spoil;
mod story;
mod table;
mod telnyx;
mod twilio;

use std::process::ExitCode;

use description::Description;
use far::{Far, Outcome};
use mock::Mock;
use story::Sample;
use table::Row;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match check(std::env::args().skip(1)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
async fn check(mocks: impl Iterator<Item = String>) -> Result<bool, String> {
    let mut samples = vec![telnyx::sample(), twilio::sample()];
    let mut rows = Vec::new();
    for mock in mocks {
        let mut parts = mock.splitn(3, '=');
        let (Some(name), Some(port), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("{mock} is not NAME=PORT=DESCRIPTION"));
        };
        let at = samples.iter().position(|it| it.name == name);
        let at = at.ok_or_else(|| format!("nobody knows what to ask of {name}"))?;
        let sample = samples.swap_remove(at);
        let port = port
            .parse()
            .map_err(|_| format!("{port} is not the number of a port"))?;
        rows.extend(ask(sample, port, path).await?);
    }
    if let Some(left) = samples.first() {
        return Err(format!("there is no mock of {}", left.name));
    }
    Ok(table::print(&rows))
}

/// Sends everything to one carrier's mock.
async fn ask(sample: Sample, port: u16, description: &str) -> Result<Vec<Row>, String> {
    let mock = Mock::new(port, Description::read(description)?)?;
    let far = Far::start(mock, &sample).await?;
    story::tell(&far, &sample).await?;
    let (mock, records) = far.end();
    let mut rows = Vec::new();
    for record in records {
        let spoiled = spoil::all(mock, &record).await?;
        let template = match &record.outcome {
            Outcome::Absent(it) => {
                format!("{} {}{it}", record.asked.method, mock.description.base)
            }
            Outcome::Accepted | Outcome::AllBut(_) | Outcome::Refused(_) | Outcome::Misread(_) => {
                mock.description.template(&record.asked)
            }
        };
        rows.push(Row {
            carrier: sample.name,
            template,
            record,
            spoiled,
        });
    }
    Ok(rows)
}
