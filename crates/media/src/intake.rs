use std::collections::VecDeque;

use crate::conceal::Concealer;
use crate::jitter::{FAR, Insert, Jitter, Pop};
use crate::shuffle::{Place, Shuffle, Turn};
use crate::{Codec, Counts, Decoder, Format, Line, Packet, Rate, Setup};

/// The caller's sound on its way in: packets of any size become frames.
#[derive(Debug)]
pub(crate) struct Intake {
    /// On the wire, and the rate that samples are wanted at.
    format: Format,
    rate: Rate,
    decoder: Decoder,
    order: Order,
    concealer: Concealer,
    pcm: VecDeque<i16>,
    scratch: Vec<i16>,
    /// How many samples the last packet held: a lost one was probably as long.
    packet: usize,
    /// Samples made up since the last packet because nobody knew when the next would come.
    idle: usize,
}

#[derive(Debug)]
enum Order {
    /// The next packet's index, once there has been one.
    AsSent(Option<u64>),
    Sorted(Shuffle),
    Restored(Jitter),
}

impl Intake {
    pub(crate) fn new(setup: Setup) -> Self {
        let (format, rate) = (setup.format, setup.rate());
        let room = format.bytes_per_frame() * FRAMES_KEPT;
        let order = match setup.line {
            Line::Ordered => Order::AsSent(None),
            Line::Shuffled { depth } => Order::Sorted(Shuffle::new(depth)),
            Line::Jittery { depth } => Order::Restored(Jitter::new(depth, room)),
        };
        Self {
            format,
            rate,
            decoder: Decoder::new(format, rate),
            order,
            concealer: Concealer::new(rate),
            pcm: VecDeque::new(),
            scratch: Vec::new(),
            packet: rate.samples_per_frame(),
            idle: 0,
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, counts: &mut Counts) {
        let payload = self.newest_second(packet.payload, counts);
        match &mut self.order {
            Order::AsSent(next) => {
                let lost = match *next {
                    Some(next) if packet.index.abs_diff(next) > FAR => 0,
                    Some(next) if packet.index < next => {
                        counts.late += 1;
                        return;
                    }
                    Some(next) => packet.index - next,
                    None => 0,
                };
                *next = Some(packet.index.saturating_add(1));
                counts.lost += lost;
                self.conceal(lost, counts);
                self.accept(payload, counts);
            }
            Order::Sorted(shuffle) => {
                match shuffle.place(packet.index, payload) {
                    Place::Now => self.accept(payload, counts),
                    Place::Late => counts.late += 1,
                    Place::Kept => {}
                }
                self.take_turns(counts);
            }
            Order::Restored(jitter) => match jitter.insert(packet.index, payload) {
                Insert::Kept { dropped } => counts.dropped += dropped,
                Insert::Late { dropped } => {
                    counts.dropped += dropped;
                    counts.late += 1;
                }
            },
        }
    }

    pub(crate) fn ready(&self) -> bool {
        let waiting = match &self.order {
            Order::AsSent(_) | Order::Sorted(_) => 0,
            Order::Restored(jitter) => match self.format.codec {
                // Of packets that are as long as they like, each is about a frame.
                Codec::Opus => jitter.packets_in_hand() * self.rate.samples_per_frame(),
                Codec::Ulaw | Codec::Alaw | Codec::L16(_) | Codec::G722 => {
                    jitter.in_hand() * self.rate.samples_per_frame() / self.format.bytes_per_frame()
                }
            },
        };
        self.pcm.len() + waiting >= self.rate.samples_per_frame()
    }

    /// Hears one frame into `out`, and makes up what is not there.
    pub(crate) fn hear(&mut self, out: &mut [i16], counts: &mut Counts) {
        while self.pcm.len() < out.len() && self.give(counts) {}
        let n = self.pcm.len().min(out.len());
        let (front, back) = self.pcm.as_slices();
        let first = front.len().min(n);
        out[..first].copy_from_slice(&front[..first]);
        out[first..n].copy_from_slice(&back[..n - first]);
        self.pcm.drain(..n);
        if n < out.len() {
            self.concealer.fill(&mut out[n..]);
            self.idle += out.len() - n;
            counts.concealed += 1;
        }
    }

    /// Hears the packets that were held and whose turn has come.
    fn take_turns(&mut self, counts: &mut Counts) {
        while let Order::Sorted(shuffle) = &mut self.order
            && let Turn::Held { payload, lost } = shuffle.turn()
        {
            counts.lost += lost;
            self.conceal(lost, counts);
            self.accept(&payload, counts);
            if let Order::Sorted(shuffle) = &mut self.order {
                shuffle.back(payload);
            }
        }
    }

    /// Takes the next packet out of the jitter buffer. `false` when there is none.
    fn give(&mut self, counts: &mut Counts) -> bool {
        let Order::Restored(jitter) = &mut self.order else {
            return false;
        };
        match jitter.pop() {
            Pop::Payload { payload, skipped } => {
                counts.lost += skipped;
                self.scratch.clear();
                self.decoder.decode_into(payload, &mut self.scratch);
                self.keep(counts);
                true
            }
            Pop::Lost => {
                counts.lost += 1;
                self.conceal(1, counts);
                true
            }
            Pop::Idle => false,
        }
    }

    fn accept(&mut self, payload: &[u8], counts: &mut Counts) {
        self.scratch.clear();
        self.decoder.decode_into(payload, &mut self.scratch);
        self.keep(counts);
    }

    fn keep(&mut self, counts: &mut Counts) {
        if self.scratch.is_empty() {
            return;
        }
        self.packet = self.scratch.len();
        self.idle = 0;
        self.concealer.heard(&mut self.scratch);
        self.pcm.extend(&self.scratch);
        self.bound(counts);
    }

    /// Fills the hole that `lost` packets left, for a few frames and less what was filled already.
    fn conceal(&mut self, lost: u64, counts: &mut Counts) {
        let frame = self.rate.samples_per_frame();
        let most = CONCEALED * frame;
        let hole = (lost.min(most as u64) as usize * self.packet).min(most);
        let fill = hole.saturating_sub(self.idle);
        if fill > 0 {
            self.scratch.clear();
            self.scratch.resize(fill, 0);
            self.concealer.fill(&mut self.scratch);
            self.pcm.extend(&self.scratch);
            counts.concealed += fill.div_ceil(frame) as u64;
            self.bound(counts);
        }
        self.idle = 0;
    }

    /// Never more than a second waits to be heard: what is older is not worth hearing any more.
    fn bound(&mut self, counts: &mut Counts) {
        let most = self.rate.hz() as usize;
        if let Some(surplus) = self.pcm.len().checked_sub(most + 1) {
            let frame = self.rate.samples_per_frame();
            let drop = (surplus + 1).div_ceil(frame) * frame;
            self.pcm.drain(..drop.min(self.pcm.len()));
            counts.dropped += (drop / frame) as u64;
        }
    }

    fn newest_second<'p>(&self, payload: &'p [u8], counts: &mut Counts) -> &'p [u8] {
        let most = self.format.bytes_per_frame() * FRAMES_KEPT;
        let surplus = payload.len().saturating_sub(most);
        counts.dropped += surplus.div_ceil(self.format.bytes_per_frame()) as u64;
        &payload[surplus..]
    }
}

/// A hole is filled for this many frames at most; what comes after it moves up.
const CONCEALED: usize = 3;
/// Of encoded sound, no more than a second is kept.
const FRAMES_KEPT: usize = 50;
