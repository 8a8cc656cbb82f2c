//! Who is on the line: what a call makes of it that they proved who they are, that its agent may not do
//! something for them, and that they need help.

use call::Trust;
use call::event::Refused;
use call::input::Command;
use expect_test::expect;
use sim::Happening;

use crate::script::*;

const REFUSED: Refused = Refused {
    code: "policy.trust",
    needs: Trust::Proven,
    trust: Trust::CallerId,
};

#[test]
fn who_needs_help_is_told_to_call_for_it_and_not_by_the_agent() {
    let help = Command::Help("Please hang up and dial your emergency number.".into());
    let world = conversation(&["Have you tried a glass of water?", "All right."])
        .at(1_000, speak(400, "I need an ambulance"))
        .at(2_190, Happening::Command(help))
        .at(7_000, speak(400, "are you there"))
        .run(12_000);
    check(&world, expect![[r#""#]]);
}

#[test]
fn what_an_agent_may_not_is_told_to_it_and_to_its_caller_once() {
    let refuse = || {
        let sorry = "I am sorry, I cannot put you through.".into();
        Happening::Command(Command::Refuse(REFUSED, sorry))
    };
    let world = conversation(&["One moment, please."])
        .at(1_000, speak(400, "Ben please"))
        .at(2_300, refuse())
        .at(2_310, refuse())
        .run(8_000);
    check(&world, expect![[r#""#]]);
}

#[test]
fn who_proved_who_they_are_hears_so_and_so_does_the_agent() {
    let world = conversation(&["Hello."])
        .at(1_000, speak(400, "hello"))
        .at(5_000, Happening::Command(Command::Disprove("That did not work.".into())))
        .at(8_000, Happening::Command(Command::Prove("Thank you.".into())))
        .run(12_000);
    check(&world, expect![[r#""#]]);
}
