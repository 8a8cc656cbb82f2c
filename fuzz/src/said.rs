//! What is said: by people, by language models, by programs that we run.

use agents::sse::{Endless, Event, Events};
use gateway::tunnel::Tunnel;

/// It matters neither how loud it is said nor with which marks.
pub(crate) fn wishes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let meant = policy::opts_out(text);
    if text.is_ascii() {
        assert_eq!(policy::opts_out(&text.to_ascii_uppercase()), meant);
        assert_eq!(policy::opts_out(&format!("  {text}!")), meant);
    }
}

/// How the bytes are cut changes nothing.
pub(crate) fn events(bytes: &[u8]) {
    let whole = read([bytes]);
    assert_eq!(read(bytes.chunks(1)), whole);
    let (front, back) = bytes.split_at(bytes.len() / 2);
    assert_eq!(read([front, back]), whole);
    let said: usize = whole.iter().flatten().map(|it| it.data.len()).sum();
    // What is no text becomes a sign of three bytes.
    assert!(said <= 3 * bytes.len(), "more than was said");
}

fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<Event>, Endless> {
    let mut events = Events::default();
    for piece in pieces {
        events.push(piece)?;
    }
    events.finish()?;
    Ok(std::iter::from_fn(|| events.next()).collect())
}

/// The same; and no marker is said, nor more than there was.
pub(crate) fn answer(bytes: &[u8]) {
    let told = |it: ports::Fault| it.to_string();
    let whole = agents::openai::said([bytes]).map_err(told);
    assert_eq!(agents::openai::said(bytes.chunks(1)).map_err(told), whole);
    match whole {
        Ok(said) => {
            assert!(said.len() <= 3 * bytes.len(), "more than was written");
            let lower = said.to_ascii_lowercase();
            let marked = ["[[hangup]]", "[[silent]]"]
                .iter()
                .any(|it| lower.contains(it));
            assert!(!marked, "a marker is spoken: {said}");
        }
        Err(told) => assert!(told.len() < 200, "it quotes what came: {told}"),
    }
}

/// An address is one of theirs, and leads to a host and nowhere below.
pub(crate) fn tunnel(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        for tunnel in Tunnel::ALL {
            let Some(address) = tunnel.announced(line) else {
                continue;
            };
            let host = address.strip_prefix("https://").expect("it is encrypted");
            assert!(!host.is_empty());
            let plain = |it: char| !it.is_whitespace() && !it.is_control() && !"/?#@".contains(it);
            assert!(host.chars().all(plain), "{address}");
            let (host, _) = host.rsplit_once(':').unwrap_or((host, ""));
            let theirs = match tunnel {
                Tunnel::Cloudflared => host.ends_with(".trycloudflare.com"),
                Tunnel::Ngrok => true,
                Tunnel::Tailscale => host.ends_with(".ts.net"),
            };
            assert!(theirs, "{address}");
        }
    }
}
