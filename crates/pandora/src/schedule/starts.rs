//! Which commands start one of the two tools.

use std::path::PathBuf;

use super::Starts;
use super::words::{Command, assignment, commands};

/// What a command may begin with before the one that it starts.
const WRAPPERS: [&str; 25] = [
    "bash",
    "chroot",
    "chrt",
    "chronic",
    "dash",
    "env",
    "eval",
    "exec",
    "flock",
    "ionice",
    "nice",
    "nohup",
    "perl",
    "runuser",
    "setsid",
    "sh",
    "stdbuf",
    "su",
    "sudo",
    "systemd-cat",
    "systemd-inhibit",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
];
/// Options of `flock` whose value is a word of its own.
const FLOCK_VALUES: [&str; 5] = ["E", "w", "conflict-exit-code", "timeout", "wait"];
/// These read the program as a text, which need not be executable.
const INTERPRETERS: [&str; 4] = ["bash", "dash", "perl", "sh"];
/// Words of the shell before a command.
const KEYWORDS: [&str; 11] = [
    "!", "do", "elif", "else", "export", "if", "then", "time", "until", "while", "{",
];
/// The verbs of `elpis-maint` that only look, or write something else.
const OTHER_VERBS: [&str; 10] = [
    "completions",
    "demo",
    "doctor",
    "help",
    "history",
    "install",
    "man",
    "plan",
    "policy",
    "status",
];

/// A program that a text starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Which tool it is.
    pub(super) starts: Starts,
    /// The program, as it is called.
    pub(super) program: String,
    /// Whether the program's file has to be executable.
    pub(super) is_executed: bool,
    /// Whether what it says is thrown away.
    pub(super) is_silent: bool,
    /// The product's configuration that it names, if that can be told.
    pub(super) conf: Option<PathBuf>,
}

/// Everything in a shell's `text` that starts one of the tools.
pub(super) fn starts(text: &str) -> Vec<Start> {
    let commands = commands(text);
    // The manual's own line is broken after the program's name.
    let is_rest = |command: &Command| match &command.words[..] {
        [] => true,
        [word] => word == "exec" || word.ends_with(".conf"),
        _ => false,
    };
    let rest = commands
        .iter()
        .any(|command| command.discards && is_rest(command));
    let found = commands.iter().flat_map(of_command);
    found
        .map(|start| Start {
            is_silent: start.is_silent || rest,
            ..start
        })
        .collect()
}

fn of_command(command: &Command) -> Vec<Start> {
    let is_before =
        |word: &&String| KEYWORDS.contains(&word.as_str()) || assignment(word).is_some();
    let before = command.words.iter().take_while(is_before).count();
    let words = &command.words[before..];
    let Some(first) = words.first() else {
        return Vec::new();
    };
    let is_wrapped = WRAPPERS.contains(&name(first));
    let looked_at = if is_wrapped { words.len() } else { 1 };
    let mut no_programs = 0..0;
    for (at, word) in words[..looked_at].iter().enumerate() {
        if no_programs.contains(&at) {
            continue;
        }
        if name(word) == "flock" {
            no_programs = at + 1..at + 1 + before_flocked(&words[at + 1..]);
        }
        let is_interpreted = at > 0 && INTERPRETERS.contains(&name(&words[at - 1]));
        if at > 0 && word.contains(char::is_whitespace) {
            // `sh -c "…"`.
            let mut inner = starts(word);
            inner
                .iter_mut()
                .for_each(|start| start.is_silent |= command.discards);
            if !inner.is_empty() {
                return inner;
            }
        }
        if let Some(starts) = tool(word, &words[at + 1..]) {
            return vec![Start {
                starts,
                program: word.clone(),
                is_executed: !is_interpreted,
                is_silent: command.discards,
                conf: conf(starts, &words[at + 1..]),
            }];
        }
    }
    Vec::new()
}

/// How many words after `flock` are its options and its lock file, which may have any name.
fn before_flocked(words: &[String]) -> usize {
    let mut at = 0;
    while let Some(option) = words.get(at).and_then(|word| word.strip_prefix('-')) {
        let long = option.strip_prefix('-');
        let has_value = match long {
            Some(long) => FLOCK_VALUES.contains(&long),
            None => FLOCK_VALUES.iter().any(|value| option.ends_with(value)),
        };
        at += 1 + usize::from(has_value);
    }
    at + 1
}

/// What `--pandora` names among the `arguments` of ours, where every reader finds the same file.
fn conf(starts: Starts, arguments: &[String]) -> Option<PathBuf> {
    if starts != Starts::Elpis {
        return None;
    }
    let at = |word: &String| word == "--pandora" || word.starts_with("--pandora=");
    let at = arguments.iter().position(at)?;
    let named = match arguments[at].split_once('=') {
        Some((_, named)) => named,
        None => arguments.get(at + 1)?,
    };
    let is_plain = named.starts_with('/') && !named.contains(['$', '`', '*', '?']);
    is_plain.then(|| named.into())
}

/// The tool that `program` is, if it is to maintain something with these `arguments`.
fn tool(program: &str, arguments: &[String]) -> Option<Starts> {
    match name(program) {
        "pandora_db" | "pandora_db.pl" => Some(Starts::Incumbent),
        "elpis-maint" => runs(arguments).then_some(Starts::Elpis),
        _ => None,
    }
}

/// Whether the verb is `run`, as far as can be told.
fn runs(arguments: &[String]) -> bool {
    if arguments.iter().any(|word| word == "--dry-run") {
        return false;
    }
    let verb = |word: &&String| *word == "run" || OTHER_VERBS.contains(&word.as_str());
    match arguments.iter().find(verb) {
        Some(verb) => verb == "run",
        // What a variable holds nobody knows here.
        None => arguments.iter().any(|word| word.contains('$')),
    }
}

fn name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(text: &str) -> Vec<Starts> {
        starts(text).into_iter().map(|start| start.starts).collect()
    }

    #[test]
    fn the_vendors_own_jobs_start_the_incumbent() {
        for (text, program, is_executed) in [
            (
                "#!/bin/bash\nperl /usr/share/pandora_server/util/pandora_db.pl /etc/pandora/pandora_server.conf",
                "/usr/share/pandora_server/util/pandora_db.pl",
                false,
            ),
            (
                "\"/usr/bin/pandora_db\" \"/etc/pandora/pandora_server.conf\"",
                "/usr/bin/pandora_db",
                true,
            ),
            (
                "[ -x /usr/bin/pandora_db ] && nice -n 10 /usr/bin/pandora_db /c",
                "/usr/bin/pandora_db",
                true,
            ),
            (
                "TOOL=/opt/pandora_db\nif true; then exec $TOOL /c; fi",
                "/opt/pandora_db",
                true,
            ),
            (
                "su - root -c '/usr/bin/pandora_db /c'",
                "/usr/bin/pandora_db",
                true,
            ),
            ("LANG=C pandora_db /c", "pandora_db", true),
        ] {
            let found = starts(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].starts, Starts::Incumbent);
            assert_eq!(
                (found[0].program.as_str(), found[0].is_executed),
                (program, is_executed)
            );
            assert!(!found[0].is_silent, "{text}");
        }
    }

    #[test]
    fn what_only_names_a_tool_starts_nothing() {
        for text in [
            "mysqldump pandora_db | gzip > /backup/pandora_db.sql.gz",
            "mysqldump --databases pandora_db",
            "cp /usr/bin/pandora_db /backup",
            "chmod -x /etc/cron.hourly/pandora_db",
            "# /usr/bin/pandora_db /c",
            "echo elpis-maint run",
            "elpis-maint history --pandora /c",
            "elpis-maint --pandora /c status",
            "elpis-maint run --dry-run --pandora /c",
            "elpis-maint plan --only run",
            "/usr/bin/elpis-maint",
        ] {
            assert_eq!(tools(text), [], "{text}");
        }
    }

    #[test]
    fn ours_is_started_by_run_and_both_are_seen() {
        let ours = "exec /usr/bin/elpis-maint --config /e run --pandora /c --quiet";
        assert_eq!(tools(ours), [Starts::Elpis]);
        assert_eq!(tools("elpis-maint \"$@\""), [Starts::Elpis]);
        assert_eq!(
            tools("A='run --pandora /c'; elpis-maint $A"),
            [Starts::Elpis]
        );
        let both = "/usr/bin/pandora_db /c\n/usr/bin/elpis-maint run --pandora /c";
        assert_eq!(tools(both), [Starts::Incumbent, Starts::Elpis]);
    }

    #[test]
    fn a_lock_file_is_no_program_and_wrappers_are_seen_through() {
        let ours = "/usr/bin/elpis-maint run --pandora /c";
        for before in [
            "flock -n /run/lock/pandora_db",
            "nice flock -xw 5 -E 0 /run/lock/pandora_db",
            "/usr/bin/flock --timeout 5 --conflict-exit-code=0 /run/lock/pandora_db",
            "/usr/bin/time -p",
            "time",
            "systemd-inhibit --what=sleep",
        ] {
            assert_eq!(
                tools(&format!("{before} {ours}")),
                [Starts::Elpis],
                "{before}"
            );
        }
        let shell = format!("flock /run/lock/pandora_db -c '{ours}'");
        assert_eq!(tools(&shell), [Starts::Elpis]);
        let incumbent = "flock -n /run/lock/x /usr/bin/pandora_db /c";
        assert_eq!(tools(incumbent), [Starts::Incumbent]);
        assert_eq!(tools("flock -n /run/lock/pandora_db /bin/true"), []);
    }

    #[test]
    fn the_configuration_of_ours_is_known_where_it_can_be_told() {
        for (text, wanted) in [
            ("elpis-maint run --pandora '/a b'", Some("/a b")),
            ("elpis-maint --pandora=/c run", Some("/c")),
            ("C=/c\nelpis-maint run --pandora $C", Some("/c")),
            ("sh -c 'elpis-maint run --pandora /c'", Some("/c")),
            ("elpis-maint run --pandora $C", None),
            ("elpis-maint run --pandora c", None),
            ("elpis-maint run --config /e", None),
            ("pandora_db /c", None),
        ] {
            let found = starts(text).remove(0).conf;
            assert_eq!(found, wanted.map(PathBuf::from), "{text}");
        }
    }

    #[test]
    fn silence_is_that_of_the_tool() {
        let is_silent = |text: &str| starts(text)[0].is_silent;
        assert!(is_silent("elpis-maint run >/dev/null"));
        assert!(is_silent("sh -c 'elpis-maint run' 2>/dev/null"));
        assert!(is_silent("exec >/dev/null 2>&1\nelpis-maint run"));
        assert!(is_silent(
            "/usr/bin/pandora_db\n/etc/p/server.conf >/dev/null 2>&1"
        ));
        assert!(!is_silent(
            "command -v x >/dev/null 2>&1\nelpis-maint run </dev/null"
        ));
    }
}
