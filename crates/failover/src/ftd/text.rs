//! From what a terminal was sent to what a person would have read on it.

/// The text that stands on the terminal after `raw`: carriage returns and backspaces move the
/// cursor and what follows overwrites, colour and cursor sequences vanish, so do NULs and other
/// control characters. Lines that ended lose their trailing blanks; the last one, on which a
/// prompt may stand, keeps them.
///
/// Bytes that are not UTF-8 become U+FFFD; a character cut at the end of `raw` too.
pub(crate) fn render(raw: &[u8]) -> String {
    let decoded = String::from_utf8_lossy(raw);
    let mut screen = Screen::default();
    let mut rest = decoded.chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' => screen.end_line(),
            '\r' => screen.column = 0,
            '\u{8}' => screen.column = screen.column.saturating_sub(1),
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => screen.put('\t'),
            c if c.is_control() => {}
            c => screen.put(c),
        }
    }
    screen.text.extend(screen.line);
    screen.text
}

/// What stands on the last line, without trailing blanks: where a prompt would be.
pub(crate) fn last_line(rendered: &str) -> &str {
    rendered.rsplit('\n').next().unwrap_or_default().trim_end()
}

#[derive(Default)]
struct Screen {
    text: String,
    line: Vec<char>,
    column: usize,
}

impl Screen {
    fn put(&mut self, c: char) {
        match self.line.get_mut(self.column) {
            Some(place) => *place = c,
            None => self.line.push(c),
        }
        self.column += 1;
    }

    fn end_line(&mut self) {
        let line: String = self.line.drain(..).collect();
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        self.column = 0;
    }
}

/// Skips `[31m`, `[K`, `]0;title BEL` and two-character sequences.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            let _ = rest.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']') => {
            let _ = rest.find(|c| *c == '\u{7}');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn line_ends_of_a_terminal_are_line_ends() {
        assert_eq!(
            render(b"> show version\r\r\nModel\r\n\r\n> "),
            "> show version\nModel\n\n> "
        );
    }

    #[test]
    fn an_erased_pager_prompt_leaves_nothing() {
        let raw = b"one\r\n<--- More --->\r              \rtwo\r\nfirepower# ";
        assert_eq!(render(raw), "one\ntwo\nfirepower# ");
    }

    #[test]
    fn colours_titles_nuls_and_backspaces_are_not_text() {
        let raw = b"\x1b[1;31mred\x1b[0m\x00 \x1b]0;title\x07ab\x08c\x0f";
        assert_eq!(render(raw), "red ac");
    }

    #[test]
    fn a_cut_character_is_not_lost_with_its_line() {
        let raw = "PERCENT: 7% ü".as_bytes();
        let cut = raw.get(..raw.len() - 1).unwrap();
        assert_eq!(render(cut), "PERCENT: 7% \u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_leaves_a_control_character(raw: Vec<u8>) {
            let text = render(&raw);
            prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
