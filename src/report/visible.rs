//! Text from the wire, made safe to look at.
//!
//! Takes names that strangers sent (hosts, methods, paths, parameter names), gives text that shows each character: what
//! would steer a terminal or turn reading direction around is written as an escape. Never drops a character.

use std::borrow::Cow;

/// Control characters (a terminal obeys them) and invisible or bidirectional formatting characters (they make text look
/// like another), each as `\u{…}`; everything else as it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hides(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_steers_and_keeps_what_reads() {
        assert_eq!(visible("/users/{id}"), "/users/{id}");
        assert_eq!(visible("/größe/世界"), "/größe/世界");
        assert_eq!(visible("a\x1b[31mb\n"), "a\\u{1b}[31mb\\u{a}");
        assert_eq!(visible("/\u{202e}txt"), "/\\u{202e}txt");
    }
}
