//! Meetings at which it is said who comes and who goes.

use call::meeting::Announcing;
use exchange::phone::{PhonePlan, Step};

use super::{HUM, Town, lines, power_at};
use crate::house::{soon, voice};
use crate::ms;

/// Cleo comes last and leaves first. A mouth in this house hums fifty milliseconds for each letter.
#[tokio::test(flavor = "multi_thread")]
async fn those_at_a_table_of_three_hear_who_comes_and_who_goes() {
    let heard = announced(Announcing::On).await;
    let (comes, goes) = ("Cleo has joined.".len() / 2, "Cleo has left.".len() / 2);
    let (anna, ben, cleo) = (heard[0], heard[1], heard[2]);
    // Ben has heard nobody come but Cleo; Anna may have heard him too.
    assert!(ben.abs_diff(comes + goes) <= 3, "{heard:?}");
    assert!(anna + 3 >= comes + goes, "{heard:?}");
    assert!(cleo == 0, "she knows: {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_to_be_announced_nobody_hears_anything() {
    assert_eq!(announced(Announcing::Off).await, [0, 0, 0]);
}

/// For how many tenths of a second each hears something said.
async fn announced(announcing: Announcing) -> Vec<usize> {
    let stays = |ring, stays| {
        let script = [Step::Wait(stays), Step::HangUp];
        PhonePlan::answers(ring, script)
    };
    let phones = [
        stays(ms(100), ms(9_000)),
        stays(ms(100), ms(9_000)),
        stays(ms(2_500), ms(4_000)),
    ];
    let town = Town::of(&lines(), phones, voice).await;
    let room = town.meet_as(None, announcing).await;
    soon(room.until(|view| view.over)).await;
    let outcomes = town.outcomes().await;
    let hummed = outcomes.iter().map(|it| {
        let tenths = it.ear.agent().chunks(8 * 100);
        tenths.filter(|it| power_at(it, HUM) > 0.3).count()
    });
    hummed.collect()
}
