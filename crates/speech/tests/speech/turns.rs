//! Whether a turn sounds finished.

use media::Rate;

use crate::kit::{over_the_line, prompt, scribe};

#[test]
fn whole_sentences_sound_more_finished_than_cut_ones() {
    let names = [
        "agent-alreadyon",
        "conf-invalid",
        "conf-onlyperson",
        "conf-waitforleader",
        "confbridge-lock-no-join",
        "demo-nomatch",
        "dir-instr",
        "feature-not-avail-line",
        "followme/status",
        "pbx-invalidpark",
        "privacy-prompt",
        "queue-youarenext",
        "ss-noservice",
        "vm-forward",
        "vm-instructions",
        "vm-mismatch",
        "vm-nobodyavail",
        "vm-rec-name",
        "vm-sorry",
        "vm-tocallback",
    ];
    let mut right = 0;
    let (mut whole_sum, mut cut_sum) = (0.0, 0.0);
    for name in names {
        let whole = spoken(&over_the_line(&prompt(name)));
        let cut = &whole[..whole.len() * 55 / 100];
        let over = |speech: &[i16]| {
            let mut heard = speech.to_vec();
            heard.extend([0; 1_600]);
            scribe()
                .end_of_turn(&heard, Rate::Hz8000)
                .expect("the models work")
        };
        let (finished, unfinished) = (over(&whole), over(cut));
        println!("{finished:.2} {unfinished:.2} {name}");
        right += u32::from(finished > 0.5) + u32::from(unfinished <= 0.5);
        whole_sum += finished;
        cut_sum += unfinished;
    }
    println!(
        "{right} of 40 right; mean {:.2} whole, {:.2} cut",
        whole_sum / 20.0,
        cut_sum / 20.0
    );
    assert!(right >= 26, "{right} of 40 are right: chance would be 20");
    assert!(whole_sum > cut_sum + 4.0);
}

/// Without the silence after it.
fn spoken(samples: &[i16]) -> Vec<i16> {
    let last = samples
        .iter()
        .rposition(|it| it.unsigned_abs() > 500)
        .unwrap_or(0);
    samples[..=last].to_vec()
}
