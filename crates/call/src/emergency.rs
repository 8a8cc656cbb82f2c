//! Numbers that reach an emergency service.
//!
//! A machine that dials one by mistake takes the place of someone who needs it, so every usual
//! spelling is refused, for every country in every country: a false alarm here costs nothing,
//! for no ordinary subscriber has a number of two to four digits.

/// Whether `text`, in any usual spelling, reaches an emergency service somewhere.
pub(crate) fn is_emergency(text: &str) -> bool {
    let digits = digits(text);
    let digits = digits.as_str();
    // "00" and "011" are how many networks spell "+".
    let spellings = [
        Some(digits),
        digits.strip_prefix("00"),
        digits.strip_prefix("011"),
    ];
    spellings
        .into_iter()
        .flatten()
        .any(|it| is_service(it) || behind_prefix(it) || abroad(it))
}

/// The digits of a number, whatever they are written in and separated by, without what is dialled
/// after it is answered.
fn digits(text: &str) -> String {
    let number = text.split([';', ',']).next().unwrap_or_default();
    let lower = number.to_lowercase();
    let end = ["ext", "x", "#", "p", "w"]
        .iter()
        .filter_map(|it| lower.find(it).filter(|at| lower[..*at].contains(is_digit)))
        .min();
    lower[..end.unwrap_or(lower.len())]
        .chars()
        .filter_map(digit)
        .collect()
}

fn is_digit(c: char) -> bool {
    digit(c).is_some()
}

/// The value of a decimal digit of any script, as an ASCII digit.
fn digit(c: char) -> Option<char> {
    let found = ZEROS.iter().rev().find(|zero| **zero <= u32::from(c))?;
    char::from_digit(u32::from(c) - found, 10)
}

fn is_service(digits: &str) -> bool {
    SERVICES.contains(&digits)
}

/// "0911", "9911", "1911", "9-1-911": behind what gets an outside or a long-distance line. No
/// number of fewer than seven digits can be ordinary.
fn behind_prefix(digits: &str) -> bool {
    let short = digits.len() < 7;
    short
        && (1..digits.len().min(4)).any(|n| {
            let (prefix, rest) = digits.split_at(n);
            prefix.bytes().all(|b| b"0189".contains(&b)) && is_service(rest)
        })
}

/// "+44 999", "+353 0 112", "+1 246 911": behind a country code, perhaps with a trunk zero or, in
/// North America, an area code.
fn abroad(digits: &str) -> bool {
    (1..=3).any(|n| {
        let Some((code, rest)) = digits.split_at_checked(n) else {
            return false;
        };
        let trunks = rest.bytes().take_while(|b| *b == b'0').count();
        let area = (code == "1" && rest.len() == 6).then(|| &rest[3..]);
        let ends_there =
            area.is_some_and(is_service) || (0..=trunks).any(|n| is_service(&rest[n..]));
        ends_there && COUNTRIES.contains(&code)
    })
}

/// Emergency numbers of the world: police, fire, ambulance, coast and mountain rescue, gas.
const SERVICES: &[&str] = &[
    "03", "04", "05", "08", "15", "17", "18", "000", "060", "061", "062", "065", "066", "080",
    "088", "089", "090", "091", "092", "100", "101", "102", "103", "104", "105", "106", "107",
    "108", "110", "111", "112", "113", "114", "115", "116", "117", "118", "119", "120", "121",
    "122", "123", "124", "125", "126", "127", "128", "129", "130", "131", "132", "133", "136",
    "140", "144", "147", "150", "151", "154", "155", "156", "158", "160", "166", "180", "190",
    "191", "192", "193", "194", "195", "196", "197", "198", "199", "777", "900", "903", "907",
    "910", "911", "912", "913", "914", "917", "919", "922", "933", "944", "955", "977", "988",
    "991", "992", "993", "994", "995", "996", "997", "998", "999", "1055", "1122", "1155", "1300",
    "1400", "1530", "1669", "1717", "7700",
];

/// Country codes of the world, as assigned by the ITU (E.164, list of 2016 and since).
const COUNTRIES: &[&str] = &[
    "1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45",
    "46", "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
    "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98", "211",
    "212", "213", "216", "218", "220", "221", "222", "223", "224", "225", "226", "227", "228",
    "229", "230", "231", "232", "233", "234", "235", "236", "237", "238", "239", "240", "241",
    "242", "243", "244", "245", "246", "247", "248", "249", "250", "251", "252", "253", "254",
    "255", "256", "257", "258", "260", "261", "262", "263", "264", "265", "266", "267", "268",
    "269", "290", "291", "297", "298", "299", "350", "351", "352", "353", "354", "355", "356",
    "357", "358", "359", "370", "371", "372", "373", "374", "375", "376", "377", "378", "379",
    "380", "381", "382", "383", "385", "386", "387", "389", "420", "421", "423", "500", "501",
    "502", "503", "504", "505", "506", "507", "508", "509", "590", "591", "592", "593", "594",
    "595", "596", "597", "598", "599", "670", "672", "673", "674", "675", "676", "677", "678",
    "679", "680", "681", "682", "683", "685", "686", "687", "688", "689", "690", "691", "692",
    "850", "852", "853", "855", "856", "880", "886", "960", "961", "962", "963", "964", "965",
    "966", "967", "968", "970", "971", "972", "973", "974", "975", "976", "977", "992", "993",
    "994", "995", "996", "998",
];

/// Where decimal digits begin in Unicode 16 (general category Nd), in ascending order.
const ZEROS: &[u32] = &[
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66,
    0xDE6, 0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8,
    0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven digits may be a subscriber's; only North America has area codes of three.
    #[test]
    fn what_only_ends_like_one_is_none() {
        for text in ["9991122", "+49301112", "+12121122"] {
            assert!(!is_emergency(text), "{text}");
        }
    }

    #[test]
    fn emergency_numbers_are_known_in_every_spelling() {
        for number in [
            "112", "911", "999", "000", "110", "119", "118", "113", "115", "117", "120", "122",
            "190", "191", "192", "193", "194", "197", "066", "060", "08", "15", "17", "18", "100",
            "101", "102", "103", "104", "105", "106", "108", "111", "127", "129", "133", "144",
            "147", "155", "158", "199", "933", "922", "995", "997", "998",
        ] {
            for text in [
                number.to_owned(),
                format!("+{number}"),
                format!("+ {number}"),
                format!("00{number}"),
                format!("tel:{number}"),
                format!("0{number}"),
                format!("9{number}"),
                format!("9,{number}").replace("9,", "9-"),
                format!("+1{number}"),
                format!("1 {number}"),
                format!("+44{number}"),
                format!("+44 (0) {number}"),
                format!("0044{number}"),
                format!("011 44 {number}"),
                format!("+353{number}"),
                format!("+3530{number}"),
                format!("{number};ext=5"),
                format!("{number} ext. 5"),
                format!("{number}x5"),
                format!("{number},,5"),
            ] {
                assert!(is_emergency(&text), "{text}");
            }
        }
        for text in [
            "9-1-1",
            "9.1.1",
            "9 1 1",
            "(911)",
            "９１１",
            "+١١٢",
            "𝟗𝟏𝟏",
            "0911",
            "9911",
            "91911",
            "+1911",
            "+1 (212) 911",
            "+44999",
            "1911",
            "sip:911",
        ] {
            assert!(is_emergency(text), "{text}");
        }
    }

    #[test]
    fn ordinary_numbers_are_not() {
        for text in [
            "+15551234567",
            "+15550001111",
            "+4911212345678",
            "+4930112112",
            "+911123456789",
            "+911112345678",
            "+449991234567",
            "+12129110000",
            "+1911555000",
            "+33112345678",
            "+6834112",
            "+2902112",
            "+15551234567;ext=911",
            "+15551234567,911",
            "+15551234567 x911",
            "+8613912345678",
            "+39066123456",
            "+18001234567",
            "",
            "+",
            "hello",
        ] {
            assert!(!is_emergency(text), "{text}");
        }
    }

    #[test]
    fn every_service_is_known_behind_every_country_code() {
        for country in COUNTRIES {
            for service in SERVICES {
                for text in [
                    format!("+{country}{service}"),
                    format!("+{country}0{service}"),
                    format!("00{country}{service}"),
                ] {
                    assert!(is_emergency(&text), "{text}");
                }
            }
        }
    }

    proptest::proptest! {
        /// Whoever has a number of at least seven digits behind a country code can be called.
        #[test]
        fn no_subscriber_is_mistaken_for_a_service(
            country in proptest::sample::select(COUNTRIES),
            number in "[1-9][0-9]{6,11}",
        ) {
            let text = format!("+{country}{number}");
            proptest::prop_assert!(!is_emergency(&text), "{}", text);
        }
    }

    #[test]
    fn the_tables_are_in_order() {
        assert!(ZEROS.is_sorted());
        assert!(COUNTRIES.iter().all(|it| it.len() <= 3));
        // No code is the beginning of another, so a number is read in one way only.
        for code in COUNTRIES {
            let longer = COUNTRIES.iter().filter(|it| it.starts_with(code)).count();
            assert_eq!(longer, 1, "{code}");
        }
        for zero in ZEROS {
            let zero = char::from_u32(*zero).unwrap();
            assert_eq!(digit(zero), Some('0'));
            assert!(zero.is_numeric(), "{zero:?}");
        }
    }
}
