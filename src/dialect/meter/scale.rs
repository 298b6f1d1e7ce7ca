//! A scale that grows on an open line: `0%...10%...20%`, or `0...10...20` without the sign.
//!
//! `VBoxManage`, gdal and diskutil draw it. A complete line with such a scale is none: the numbers have to come one
//! after the other.

/// How far the scale has come, in percent, and where its words end. None if the text ends otherwise.
pub(in super::super) fn scale(text: &[u8]) -> Option<(usize, f64)> {
    let start = begin(text)?;
    let mut last = None;
    for mark in text[start..].split(|byte| *byte == b'.') {
        let mark = mark.trim_ascii();
        if mark.is_empty() {
            continue;
        }
        let number = std::str::from_utf8(mark.strip_suffix(b"%").unwrap_or(mark)).ok()?;
        let number: u8 = number.parse().ok()?;
        if number > 100 || last.is_some_and(|last| number <= last) {
            return None;
        }
        last = Some(number);
    }
    last.map(|last| (start, f64::from(last)))
}

/// Where the scale begins: at a 0 behind which dots come.
fn begin(text: &[u8]) -> Option<usize> {
    let starts = |at: &usize| {
        let free = *at == 0 || matches!(text[at - 1], b' ' | b':');
        let rest = text[at + 1..].strip_prefix(b"%").unwrap_or(&text[at + 1..]);
        free && rest.starts_with(b"..")
    };
    memchr::memchr_iter(b'0', text).find(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_rises_from_0_to_its_last_mark() {
        for (text, found) in [
            ("0%...10%...20%", Some((0, 20.0))),
            ("0...10...20...", Some((0, 20.0))),
            ("Copying to disk: 0%... 10%", Some((17, 10.0))),
            ("0..", Some((0, 0.0))),
            ("0%", None),
            ("0...10...5", None),
            ("0...10...20 - done.", None),
            ("v1.0...2", None),
            ("10%...20%", None),
        ] {
            assert_eq!(scale(text.as_bytes()), found, "{text}");
        }
    }
}
