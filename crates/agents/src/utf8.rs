//! Letters out of bytes that are cut anywhere.

/// As many whole letters as there are, taken out; the rest of a letter comes with the next bytes.
pub(crate) fn letters(bytes: &mut Vec<u8>) -> String {
    let (mut text, mut rest) = (String::new(), Vec::new());
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid();
        let cut = std::str::from_utf8(invalid).is_err_and(|it| it.error_len().is_none());
        if cut && chunks.peek().is_none() {
            rest = invalid.to_vec();
        } else if !invalid.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    *bytes = rest;
    text
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn letters_may_be_cut_and_what_is_none_does_no_harm() {
        for size in 1..12 {
            let (mut bytes, mut read) = (Vec::new(), String::new());
            for piece in "Grüße 😀".as_bytes().chunks(size) {
                bytes.extend_from_slice(piece);
                read += &letters(&mut bytes);
            }
            assert_eq!((read.as_str(), bytes.len()), ("Grüße 😀", 0), "{size}");
        }
        let mut odd = b"a\xffb\xc3c\xc3".to_vec();
        assert_eq!(letters(&mut odd), "a\u{fffd}b\u{fffd}c");
        assert_eq!(odd, b"\xc3");
    }
}
