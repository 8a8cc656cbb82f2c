use tokio::sync::mpsc;

/// A conversation under way with something outside: we send `O`, it sends `I`.
///
/// Every adapter opens one of these and every fake is the other end of one. Both directions are
/// bounded. Dropping the link hangs up.
#[derive(Debug)]
pub struct Link<O, I> {
    /// Where we speak.
    pub tx: mpsc::Sender<O>,
    /// Where we listen.
    pub rx: mpsc::Receiver<I>,
}

/// Makes both ends of a link, each direction holding at most `capacity` messages.
pub fn pair<O, I>(capacity: usize) -> (Link<O, I>, Link<I, O>) {
    let (near_tx, far_rx) = mpsc::channel(capacity);
    let (far_tx, near_rx) = mpsc::channel(capacity);
    (
        Link {
            tx: near_tx,
            rx: near_rx,
        },
        Link {
            tx: far_tx,
            rx: far_rx,
        },
    )
}
