//! The commands of a shell's text, as far as that tells what it starts.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// One simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Its words, without quotes.
    pub(super) words: Vec<String>,
    /// Whether what it says goes to `/dev/null`.
    pub(super) discards: bool,
}

/// The commands of `text`, in their order. Variables that the text itself sets are put in; other
/// expansions stay as they are written.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let mut reader = Reader {
        left: text.chars().peekable(),
        variables: BTreeMap::new(),
        done: Vec::new(),
        command: Command::default(),
        word: None,
        redirect: None,
    };
    reader.read();
    reader.done
}

/// `NAME` and `value` of `NAME=value`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && name.chars().all(plain);
    (is_name && !name.starts_with(|c: char| c.is_ascii_digit())).then_some((name, value))
}

/// Which way the next word is redirected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirect {
    From,
    To,
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    variables: BTreeMap<String, String>,
    done: Vec<Command>,
    command: Command,
    /// The word that is being read; `None` between words.
    word: Option<String>,
    redirect: Option<Redirect>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.left.next() {
            match c {
                '\\' => match self.left.next() {
                    // The line goes on.
                    Some('\n') | None => {}
                    Some(c) => self.push(c),
                },
                '\'' => self.single_quoted(),
                '"' => self.double_quoted(),
                '$' => self.variable(false),
                '#' if self.word.is_none() => while self.left.next_if(|c| *c != '\n').is_some() {},
                '&' if self.left.peek() == Some(&'>') => self.end_word(),
                '<' | '>' => self.redirected(c),
                '\n' | ';' | '&' | '|' | '(' | ')' | '`' => self.end_command(),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn single_quoted(&mut self) {
        self.word.get_or_insert_default();
        while let Some(c) = self.left.next_if(|c| *c != '\'') {
            self.push(c);
        }
        self.left.next();
    }

    fn double_quoted(&mut self) {
        self.word.get_or_insert_default();
        while let Some(c) = self.left.next() {
            match c {
                '"' => return,
                '$' => self.variable(true),
                '\\' => match self.left.next() {
                    Some('\n') | None => {}
                    Some(c) if "$`\"\\".contains(c) => self.push(c),
                    Some(c) => {
                        self.push('\\');
                        self.push(c);
                    }
                },
                c => self.push(c),
            }
        }
    }

    /// After a `$`: `NAME` or `{NAME}`.
    fn variable(&mut self, is_quoted: bool) {
        let has_braces = self.left.next_if_eq(&'{').is_some();
        let mut name = String::new();
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        while let Some(c) = self.left.next_if(plain) {
            name.push(c);
        }
        let is_closed = !has_braces || self.left.next_if_eq(&'}').is_some();
        match self.variables.get(&name).cloned() {
            Some(value) if is_closed => {
                for c in value.chars() {
                    match c.is_whitespace() && !is_quoted {
                        true => self.end_word(),
                        false => self.push(c),
                    }
                }
            }
            _ => {
                let brace = if has_braces { "{" } else { "" };
                let closed = if has_braces && is_closed { "}" } else { "" };
                for c in format!("${brace}{name}{closed}").chars() {
                    self.push(c);
                }
            }
        }
    }

    fn redirected(&mut self, c: char) {
        // The number before it is that of a file.
        let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
        if self.word.as_ref().is_some_and(is_number) {
            self.word = None;
        }
        self.end_word();
        while self.left.next_if(|c| "<>&|".contains(*c)).is_some() {}
        self.redirect = Some(match c {
            '<' => Redirect::From,
            _ => Redirect::To,
        });
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        match self.redirect.take() {
            None => self.command.words.push(word),
            Some(way) => self.command.discards |= way == Redirect::To && word == "/dev/null",
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.redirect = None;
        let command = std::mem::take(&mut self.command);
        let words = command.words.iter();
        let set: Vec<_> = words
            .skip_while(|word| *word == "export")
            .map_while(|word| assignment(word))
            .collect();
        let exported = command.words.iter().take_while(|word| *word == "export");
        if set.len() + exported.count() == command.words.len() {
            let set = set.into_iter();
            let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
            self.variables.extend(set);
        }
        if !command.words.is_empty() || command.discards {
            self.done.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text).into_iter();
        commands.map(|command| command.words).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, wanted) in [
            (
                "a 'b c'\"d\"\\ e # f\ng",
                vec![vec!["a", "b cd e"], vec!["g"]],
            ),
            (
                "a#b; c && d || e | f &",
                vec![vec!["a#b"], vec!["c"], vec!["d"], vec!["e"], vec!["f"]],
            ),
            ("a \\\n b", vec![vec!["a", "b"]]),
            ("a >/dev/null 2>&1 b <c &>>d", vec![vec!["a", "b"]]),
            ("a '' \"x\\\"\\y\"", vec![vec!["a", "", "x\"\\y"]]),
            (
                "X=/b; Y='run z'\n$X/c ${X} \"$Y\" $Y $1 ${Z:-q}",
                vec![
                    vec!["X=/b"],
                    vec!["Y=run z"],
                    vec!["/b/c", "/b", "run z", "run", "z", "$1", "${Z:-q}"],
                ],
            ),
            ("x=$(a b)", vec![vec!["x=$"], vec!["a", "b"]]),
            ("'open", vec![vec!["open"]]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn only_output_is_thrown_away() {
        let discards = |text: &str| commands(text)[0].discards;
        for text in [
            "a >/dev/null 2>&1",
            "a 2> /dev/null",
            "a &>/dev/null",
            "a >> /dev/null",
        ] {
            assert!(discards(text), "{text}");
        }
        for text in ["a </dev/null", "a >/tmp/dev/null", "a /dev/null", "a 2>&1"] {
            assert!(!discards(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[ -~\n]{0,80}") {
            commands(&text);
        }
    }
}
