//! Text as it should be spoken, where a reader of words alone would stumble.

/// Spells out what espeak-ng would read wrongly: telephone numbers digit by digit, money with its
/// unit behind it, times, mail addresses. Everything else stays as it is.
pub(super) fn aloud(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|it: char| OUTSIDE.contains(&it));
    let Some(at) = word.find(core).filter(|_| !core.is_empty()) else {
        return word.to_owned();
    };
    let (before, after) = (&word[..at], &word[at + core.len()..]);
    let spoken = money(core)
        .or_else(|| time(core))
        .or_else(|| mail(core))
        .or_else(|| number(core));
    match spoken {
        Some(spoken) => format!("{before}{spoken}{after}"),
        None => word.to_owned(),
    }
}

/// `$5.50` → `5 dollars 50`.
fn money(core: &str) -> Option<String> {
    let amount = core.strip_prefix('$')?.replace(',', "");
    let (dollars, cents) = amount.split_once('.').unwrap_or((&amount, ""));
    if !all_digits(dollars) || !(cents.is_empty() || all_digits(cents)) {
        return None;
    }
    let unit = if dollars == "1" { "dollar" } else { "dollars" };
    let cents = cents.trim_start_matches('0');
    Some(match (dollars, cents) {
        (_, "") => format!("{dollars} {unit}"),
        ("0", "1") => "1 cent".to_owned(),
        ("0", _) => format!("{cents} cents"),
        _ => format!("{dollars} {unit} {cents}"),
    })
}

/// `3:30` → `3 30`, `9:05` → `9 oh 5`, `3:00` → `3 o'clock`.
fn time(core: &str) -> Option<String> {
    let (hour, minute) = core.split_once(':')?;
    let sane = all_digits(hour) && all_digits(minute) && minute.len() == 2 && hour.len() <= 2;
    if !sane || hour.parse::<u8>().ok()? > 23 || minute.parse::<u8>().ok()? > 59 {
        return None;
    }
    Some(match minute.strip_prefix('0') {
        Some("0") => format!("{hour} o'clock"),
        Some(last) => format!("{hour} oh {last}"),
        None => format!("{hour} {minute}"),
    })
}

/// `jo@example.com` → `jo at example dot com`.
fn mail(core: &str) -> Option<String> {
    let (name, host) = core.split_once('@')?;
    let plain = |it: char| it.is_alphanumeric() || "._-+".contains(it);
    let sane = !name.is_empty() && host.contains('.') && core.replace('@', "").chars().all(plain);
    let spell = |part: &str| {
        let dotted = part.replace('.', " dot ").replace('_', " underscore ");
        dotted.replace('-', " dash ").replace('+', " plus ")
    };
    sane.then(|| format!("{} at {}", spell(name), spell(host)))
}

/// Telephone numbers, and digits too many to be a quantity, one by one with a pause between groups.
fn number(core: &str) -> Option<String> {
    let bare = core.strip_prefix('+').unwrap_or(core);
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    let groups: Vec<&str> = bare
        .split(['-', '.', '(', ')'])
        .filter(|it| !it.is_empty())
        .collect();
    let dialled = groups.iter().all(|it| all_digits(it)) && !core.starts_with('-');
    let phone = digits >= 7 && (core.starts_with('+') || groups.len() > 1 || digits >= 9);
    if !dialled || !phone {
        return None;
    }
    let spell = |group: &&str| {
        group
            .chars()
            .map(String::from)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let whole = [bare];
    let groups = if groups.len() > 1 {
        groups.as_slice()
    } else {
        &whole
    };
    let spoken: Vec<String> = groups
        .iter()
        .flat_map(|it| split(it))
        .map(|it| spell(&it))
        .collect();
    Some(spoken.join(", "))
}

/// A long number in the groups people say: the last four, then threes.
fn split(digits: &str) -> Vec<&str> {
    if digits.len() < 7 {
        return vec![digits];
    }
    let (mut rest, last) = digits.split_at(digits.len() - 4);
    let mut groups = vec![last];
    while rest.len() > 3 {
        let (before, group) = rest.split_at(rest.len() - 3);
        groups.push(group);
        rest = before;
    }
    groups.push(rest);
    groups.reverse();
    groups
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

const OUTSIDE: [char; 10] = ['.', ',', ';', '!', '?', '"', '\'', '“', '”', ':'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stumbles_is_spelled_out() {
        let cases = [
            ("Call 555-123-4567.", "Call 5 5 5, 1 2 3, 4 5 6 7."),
            (
                "It is +15551234567, yes",
                "It is 1, 5 5 5, 1 2 3, 4 5 6 7, yes",
            ),
            ("That's $5.50!", "That's 5 dollars 50!"),
            ("only $1", "only 1 dollar"),
            ("$1,200 for it", "1200 dollars for it"),
            ("$0.75", "75 cents"),
            ("at 3:30 pm, or 9:05", "at 3 30 pm, or 9 oh 5"),
            ("Open at 9:00.", "Open at 9 o'clock."),
            ("jo.b@example.com?", "jo dot b at example dot com?"),
            ("2024 was 3.5 times 1,000", "2024 was 3.5 times 1,000"),
            ("-5 degrees, 10-12 people", "-5 degrees, 10-12 people"),
            ("plain words; nothing else", "plain words; nothing else"),
        ];
        for (written, spoken) in cases {
            assert_eq!(aloud(written), spoken);
        }
    }
}
