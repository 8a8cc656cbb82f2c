//! A call's place at a meeting, while it has one.

use call::input::{self, Input};
use call::memory::Talk;
use call::{Memory, Mode, Private, output};
use media::Frame;
use tokio::time::Instant;

use super::{Notebook, Order, Runner};
use crate::line::Line;
use crate::meeting::{Chair, Said};

impl<L: Line> Runner<L> {
    /// There is a place at a meeting.
    pub(super) fn seat(&mut self, chair: Chair) {
        if let (Some(sound), Some(_)) = (&mut self.sound, self.seated) {
            sound.sit(chair.tx.clone());
        }
        self.chair = Some(chair);
    }

    /// Tells the meeting. One that does not listen is over, which is noticed where it speaks.
    pub(super) fn meet(&mut self, meeting: output::Meeting) {
        let said = match meeting {
            output::Meeting::Sit(id) => {
                self.seated = Some(id);
                self.keep_seat();
                if let (Some(sound), Some(chair)) = (&mut self.sound, &self.chair) {
                    sound.sit(chair.tx.clone());
                }
                return;
            }
            output::Meeting::Stand => {
                self.chair = None;
                if let (Some(id), Some(sound)) = (self.seated.take(), &mut self.sound) {
                    sound.stand();
                    // How much of the others was heard is nobody's business.
                    let _ = sound.cut(Instant::now().into_std(), id);
                }
                return;
            }
            output::Meeting::PutThrough(referral) => {
                // A desk so busy has more urgent things to do, and the caller is still here.
                let _ = self.orders.try_send(Order::PutThrough(referral));
                return;
            }
            output::Meeting::Pressed(digit) => Said::Pressed(digit),
            output::Meeting::Said(text) => Said::Said(text),
            output::Meeting::Say(text) => Said::Say(text),
            output::Meeting::Speaks => Said::Speaks,
        };
        let _ = self.chair.as_ref().map(|it| it.tx.try_send(said));
    }

    /// A call that would end with this process does not end for those who sit with its caller: from now
    /// on it is remembered that they do.
    fn keep_seat(&mut self) {
        let memory = self.flight.memory(Instant::now().into_std());
        if let Memory::Up {
            talk: Talk::Seat { place, .. },
            ..
        } = memory
        {
            self.notebook
                .get_or_insert_with(|| Notebook::of(Mode::Seat(*place)));
        }
    }

    /// What the others at the meeting make, for this one.
    pub(super) fn mixed(&mut self, now: std::time::Instant, frame: Option<Frame>) {
        match (frame, &mut self.sound, self.seated) {
            (Some(frame), Some(sound), Some(id)) if sound.rate() == frame.rate() => {
                sound.play(now, id, frame.samples(), &mut self.found);
            }
            // There is nobody to hear it, or it was made before the line was another.
            (Some(_), _, _) => {}
            (None, _, seated) => {
                self.chair = None;
                if seated.is_some() {
                    let stand = input::Command::Stand(Private::new(String::new()));
                    self.tell(Input::Command(stand));
                }
            }
        }
    }
}
