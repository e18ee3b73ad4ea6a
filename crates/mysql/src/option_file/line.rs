//! One line of an option file: groups, comments, quotes and escapes, byte for byte as
//! `mysys/my_default.c` of MariaDB takes them apart.

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Empty, or a comment.
    Nothing,
    Group(&'a str),
    Include(&'a str),
    IncludeDir(&'a str),
    Option {
        key: String,
        value: Option<String>,
    },
}

pub(crate) fn parse_line(line: &str) -> Result<Line<'_>, &'static str> {
    let line = line.trim_start_matches(is_space);
    match line.chars().next() {
        None | Some('#' | ';') => Ok(Line::Nothing),
        Some('!') => parse_directive(&line[1..]),
        Some('[') => {
            let (name, _) = line[1..].split_once(']').ok_or("a [group] without its ]")?;
            Ok(Line::Group(name.trim_end_matches(is_space)))
        }
        Some(_) => Ok(parse_option(without_comment(line))),
    }
}

fn parse_directive(text: &str) -> Result<Line<'_>, &'static str> {
    let text = text.trim_matches(is_space);
    let argument = |keyword: &str| {
        let rest = text.strip_prefix(keyword)?;
        let path = rest.trim_start_matches(is_space);
        (path.len() < rest.len() && !path.is_empty()).then_some(path)
    };
    if let Some(dir) = argument("includedir") {
        return Ok(Line::IncludeDir(dir));
    }
    argument("include")
        .map(Line::Include)
        .ok_or("neither !include FILE nor !includedir DIRECTORY")
}

fn parse_option(text: &str) -> Line<'_> {
    let Some((key, value)) = text.split_once('=') else {
        return Line::Option {
            key: text.trim_end_matches(is_space).to_owned(),
            value: None,
        };
    };
    let value = value.trim_matches(is_space);
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    Line::Option {
        key: key.trim_end_matches(is_space).to_owned(),
        value: Some(unescape(quoted.unwrap_or(value))),
    }
}

/// A `#` outside quotes begins a comment, wherever it stands. A backslash protects a quote only
/// inside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if matches!(c, '\'' | '"') && !escaped {
            match quote {
                None => quote = Some(c),
                Some(open) if open == c => quote = None,
                Some(_) => {}
            }
        }
        if quote.is_none() && c == '#' {
            return &line[..at];
        }
        escaped = quote.is_some() && c == '\\' && !escaped;
    }
    line
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('s') => plain.push(' '),
            Some(quote @ ('"' | '\'' | '\\')) => plain.push(quote),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// `isspace` of the C library.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}
