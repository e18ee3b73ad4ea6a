//! The Linux shell of a simulated unit, as far as an operator needs it: lists, pipes, quotes, one
//! redirection and a dozen commands. It knows nothing of what the driver types.

use super::files::Content;
use super::jobs::Begun;
use super::pair::Pair;
use crate::observe::Unit;

/// What is left when a line has been carried out.
pub(super) enum Ran {
    Output(Vec<u8>),
    /// An installer that keeps the terminal.
    Occupied(String),
    Cut,
    /// `exit`
    Exit,
    /// `sudo su`
    Sudo,
}

/// Stands for `$?` in a word until the word is used.
const STATUS: char = '\u{1}';

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Operator(&'static str),
}

/// Carries out one line.
pub(super) fn run(pair: &mut Pair, unit: Unit, line: &str) -> Ran {
    let tokens = tokens(line);
    match words(&tokens).as_slice() {
        ["exit"] => return Ran::Exit,
        ["sudo", "su"] => return Ran::Sudo,
        ["install_update.pl", args @ ..] => {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            return match pair.install_update(unit, &args) {
                Begun::Over(text) => Ran::Output(text.into_bytes()),
                Begun::Occupied(text) => Ran::Occupied(text),
                Begun::Cut => Ran::Cut,
            };
        }
        _ => {}
    }
    let mut output = Vec::new();
    let mut status = 0;
    let mut connector = ";";
    for part in tokens.split(|token| matches!(token, Token::Operator(";" | "&&" | "||"))) {
        let runs = match connector {
            "&&" => status == 0,
            "||" => status != 0,
            _ => true,
        };
        if runs && !part.is_empty() {
            status = pipeline(pair, unit, part, status, &mut output);
        }
        connector = next_connector(&tokens, part);
    }
    Ran::Output(output)
}

/// The operator behind `part` in `tokens`.
fn next_connector(tokens: &[Token], part: &[Token]) -> &'static str {
    let end = part.as_ptr_range().end;
    match tokens
        .iter()
        .find(|token| std::ptr::from_ref(*token) == end)
    {
        Some(Token::Operator(operator)) => operator,
        _ => ";",
    }
}

fn pipeline(pair: &mut Pair, unit: Unit, part: &[Token], before: i32, output: &mut Vec<u8>) -> i32 {
    let mut stdin = Vec::new();
    let mut status = 0;
    for command in part.split(|token| *token == Token::Operator("|")) {
        let (command, target) = match command {
            [head @ .., Token::Operator(">"), Token::Word(path)] => (head, Some(path)),
            _ => (command, None),
        };
        let args: Vec<String> = words(command)
            .into_iter()
            .map(|word| word.replace(STATUS, &before.to_string()))
            .collect();
        let (out, code) = execute(pair, unit, &args, &stdin);
        status = code;
        stdin = match target {
            Some(path) => {
                let now = pair.device_seconds(unit);
                pair.unit_mut(unit)
                    .files
                    .create(path, Content::Bytes(out), now);
                Vec::new()
            }
            None => out,
        };
    }
    output.extend(stdin);
    status
}

fn words(tokens: &[Token]) -> Vec<&str> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Word(word) => Some(word.as_str()),
            Token::Operator(_) => None,
        })
        .collect()
}

/// Words and operators; quotes are taken away, `$?` is kept for later.
fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '$') if chars.peek() == Some(&'?') => {
                chars.next();
                word.get_or_insert_default().push(STATUS);
            }
            (None, ';' | '|' | '&' | '>' | ' ') => {
                tokens.extend(word.take().map(Token::Word));
                let doubled = c != ';' && chars.next_if_eq(&c).is_some();
                let operator = match (c, doubled) {
                    (';', _) => ";",
                    ('|', true) => "||",
                    ('|', false) => "|",
                    ('&', true) => "&&",
                    ('>', false) => ">",
                    _ => continue,
                };
                tokens.push(Token::Operator(operator));
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

/// One command: what it prints and its exit status.
fn execute(pair: &mut Pair, unit: Unit, args: &[String], stdin: &[u8]) -> (Vec<u8>, i32) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let text = |text: String| (text.into_bytes(), 0);
    let now = pair.device_seconds(unit);
    match args.as_slice() {
        ["true" | "sync" | "cd" | "mkdir", ..] => (Vec::new(), 0),
        ["echo", words @ ..] => text(words.join(" ") + "\n"),
        ["date", "+%s"] => text(format!("{now}\n")),
        ["cat", "/proc/sys/kernel/random/boot_id"] => {
            text(format!("{}\n", pair.unit(unit).boot_id()))
        }
        ["cat", path] => on_file(pair, unit, path, |file| file.bytes().to_vec()),
        ["stat", "-c", format, path] => {
            let format = (*format).to_owned();
            on_file(pair, unit, path, move |file| {
                let line = format
                    .replace("%i", &file.inode.to_string())
                    .replace("%s", &file.size().to_string())
                    .replace("%Y", &file.modified.to_string());
                (line + "\n").into_bytes()
            })
        }
        ["sha512sum", path] => {
            let name = (*path).to_owned();
            on_file(pair, unit, path, move |file| match &file.content {
                Content::Package { sha512, .. } => format!("{sha512}  {name}\n").into_bytes(),
                Content::Bytes(_) => format!("{}  {name}\n", "0".repeat(128)).into_bytes(),
            })
        }
        ["tail", option, count] => (tail(stdin, option, count), 0),
        ["tail", option, count, path] => {
            on_file(pair, unit, path, |file| tail(file.bytes(), option, count))
        }
        ["rm", "-f", path] => {
            pair.unit_mut(unit).files.remove(path);
            (Vec::new(), 0)
        }
        ["mv", from, to] => match pair.unit_mut(unit).files.rename(from, to) {
            true => (Vec::new(), 0),
            false => missing("mv", from),
        },
        ["df", "-Pk", ..] => {
            let free = pair.unit(unit).free_kib;
            text(format!(
                "Filesystem     1024-blocks    Used Available Capacity Mounted on\n\
                 /dev/sda6         16777216 6000000 {free}      36% /ngfw\n\
                 rootfs             4027680 1036208   2991472      26% /\n"
            ))
        }
        ["ps", "-eo", columns] => text(processes(columns, now, &pair.unit(unit).installers)),
        ["ls", "-l", directory] => text(listing(pair, unit, directory)),
        _ => {
            let name = args.first().copied().unwrap_or_default();
            (
                format!("bash: {name}: command not found\n").into_bytes(),
                127,
            )
        }
    }
}

fn on_file(
    pair: &Pair,
    unit: Unit,
    path: &str,
    read: impl FnOnce(&super::files::File) -> Vec<u8>,
) -> (Vec<u8>, i32) {
    match pair.unit(unit).files.get(path) {
        Some(file) => (read(file), 0),
        None => missing("cannot open", path),
    }
}

fn missing(what: &str, path: &str) -> (Vec<u8>, i32) {
    (
        format!("{what} '{path}': No such file or directory\n").into_bytes(),
        1,
    )
}

/// `-c +N` from byte N (from 1), `-c N` the last N bytes, `-n N` the last N lines.
fn tail(bytes: &[u8], option: &str, count: &str) -> Vec<u8> {
    let number: usize = count.trim_start_matches('+').parse().unwrap_or(0);
    let start = match (option, count.starts_with('+')) {
        ("-c", true) => number.saturating_sub(1).min(bytes.len()),
        ("-c", false) => bytes.len().saturating_sub(number),
        _ => {
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            let keep = lines.clone().count().saturating_sub(number);
            lines.take(keep).map(<[u8]>::len).sum()
        }
    };
    bytes.get(start..).unwrap_or_default().to_vec()
}

/// `ps` with the columns `pid,args` or `pid,etimes,args`.
fn processes(columns: &str, now: i64, installers: &[(i64, String)]) -> String {
    let with_age = columns.split(',').any(|column| column == "etimes");
    let line = |pid: usize, since: i64, args: &str| match with_age {
        true => format!("{pid:>5} {:>7} {args}\n", now - since),
        false => format!("{pid:>5} {args}\n"),
    };
    let own = [
        (1, "init"),
        (812, "/usr/sbin/sshd -D"),
        (4711, "su"),
        (4712, "bash"),
    ];
    let header = match with_age {
        true => "  PID ELAPSED COMMAND\n".to_owned(),
        false => "  PID COMMAND\n".to_owned(),
    };
    let own = own.iter().map(|(pid, args)| line(*pid, now - 90_000, args));
    let jobs = installers.iter().enumerate();
    let jobs = jobs.map(|(index, (since, args))| line(9000 + index, *since, args));
    header + &own.chain(jobs).collect::<String>()
}

fn listing(pair: &Pair, unit: Unit, directory: &str) -> String {
    pair.unit(unit)
        .files
        .list(directory)
        .iter()
        .map(|(name, file)| {
            format!(
                "-rw-r--r-- 1 root root {} Jul 18 02:36 {name}\n",
                file.size()
            )
        })
        .collect()
}
